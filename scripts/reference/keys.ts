// The configuration's keys as those read them who write about them.
import { type ConfigKey, configSchema } from "../../src/support/config-schema.ts";
import { shown, userMaySay, whatIsAllowed } from "../../src/support/config-value.ts";

export interface DescribedKey {
  readonly table: string;
  readonly name: string;
  readonly key: ConfigKey;
}

const schema: Readonly<Record<string, Readonly<Record<string, ConfigKey>>>> = configSchema;

/** In the order of the file. */
export const describedKeys: readonly DescribedKey[] = Object.entries(schema).flatMap(([table, keys]) =>
  Object.entries(keys).map(([name, key]) => ({ table, name, key })),
);

/** In words, or as a list of values. */
export function allowed(key: ConfigKey): string {
  // No value is allowed by all kinds: what is said against this one is what is allowed.
  return whatIsAllowed(key, undefined) ?? "";
}

export function defaultOf(key: ConfigKey): string {
  return Array.isArray(key.default) ? `[${key.default.map(shown).join(", ")}]` : shown(key.default);
}

/** What a user's own file may do with it; undefined: nothing. */
export function userMay(key: ConfigKey): string | undefined {
  if (!userMaySay(key)) return undefined;
  if (key.userMaySet === true) return "A user's own file may set it.";
  switch (key.kind) {
    case "boolean":
      return `A user's own file may make it ${key.userMayEnable === true ? "true" : "false"}.`;
    case "choice":
      return "A user's own file may choose what allows less.";
    case "integer":
      return "A user's own file may make it smaller.";
    case "list":
      return "A user's own file may leave out entries.";
    case "text":
      return undefined;
    default:
      return key satisfies never;
  }
}
