// One value of the configuration: whether it may stand, and what is left of it when a user wants less.
import type { ConfigKey } from "./config-schema.ts";

/** Undefined when the value may stand; else what may, in words. */
export function whatIsAllowed(key: ConfigKey, value: unknown): string | undefined {
  switch (key.kind) {
    case "boolean":
      return typeof value === "boolean" ? undefined : "true or false";
    case "text":
      return typeof value === "string" && key.pattern.test(value) ? undefined : key.allowed;
    case "choice":
      return isOneOf(key.choices, value) ? undefined : key.choices.map(shown).join(", ");
    case "integer": {
      const isWithin = Number.isInteger(value) && Number(value) >= key.min && Number(value) <= key.max;
      return isWithin ? undefined : `a whole number from ${key.min} to ${key.max}`;
    }
    case "list": {
      const { of, maxEntries } = key;
      const mayStand = (entry: unknown): boolean =>
        "choices" in of ? isOneOf(of.choices, entry) : typeof entry === "string" && of.pattern.test(entry);
      if (Array.isArray(value) && value.length <= maxEntries && value.every(mayStand)) return undefined;
      return `a list of at most ${maxEntries}, each ${"choices" in of ? of.choices.map(shown).join(" or ") : of.allowed}`;
    }
    default:
      return key satisfies never;
  }
}

/** The key may stand in a user's own file. */
export function userMaySay(key: ConfigKey): boolean {
  if (key.userMaySet === true) return true;
  switch (key.kind) {
    case "boolean":
      return key.userMayDisable === true || key.userMayEnable === true;
    case "choice":
      return key.narrower !== undefined;
    case "integer":
      return key.userMayLower === true;
    case "list":
      return key.userMayDrop === true;
    case "text":
      return false;
    default:
      return key satisfies never;
  }
}

/** What holds when the system says one and a user the other, both of which may stand: never more than the system allows. */
export function narrowedValue(key: ConfigKey, system: unknown, user: unknown): unknown {
  if (key.userMaySet === true) return user;
  switch (key.kind) {
    case "boolean":
      if (key.userMayDisable === true && user === false) return false;
      return key.userMayEnable === true && user === true ? true : system;
    case "choice": {
      const { narrower } = key;
      if (narrower === undefined) return system;
      const within = (choice: unknown): readonly unknown[] => [choice, ...(narrower[String(choice)] ?? [])];
      // The widest that neither forbids.
      return within(user).find((choice) => within(system).includes(choice)) ?? within(system).at(-1);
    }
    case "integer":
      return key.userMayLower === true ? Math.min(Number(system), Number(user)) : system;
    case "list":
      if (key.userMayDrop !== true || !Array.isArray(system) || !Array.isArray(user)) return system;
      return system.filter((entry) => user.includes(entry));
    case "text":
      return system;
    default:
      return key satisfies never;
  }
}

export function shown(value: unknown): string {
  // JSON has no word for what TOML calls nan and inf.
  return typeof value === "bigint" || typeof value === "number" ? String(value) : JSON.stringify(value);
}

function isOneOf(choices: readonly string[], value: unknown): boolean {
  return typeof value === "string" && choices.includes(value);
}
