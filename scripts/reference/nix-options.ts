// The configuration's keys as options of NixOS: what nixos-module/default.nix declares, and the table of its README.
import type { ConfigKey } from "../../src/support/config-schema.ts";
import { allowed, describedKeys } from "./keys.ts";

interface NixOption {
  readonly option: readonly string[];
  readonly table: string;
  readonly key: string;
  readonly kind: ConfigKey["kind"];
  readonly default: unknown;
  readonly about: string;
  readonly choices?: readonly string[];
  readonly min?: number;
  readonly max?: number;
}

/** `shared-folder`, `enabled` → `sharedFolder.enable`. */
function optionName(word: string): string {
  if (word === "enabled") return "enable";
  return word.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

function limits(key: ConfigKey): Pick<NixOption, "choices" | "min" | "max"> {
  switch (key.kind) {
    case "choice":
      return { choices: key.choices };
    case "integer":
      return { min: key.min, max: key.max };
    case "list":
      return "choices" in key.of ? { choices: key.of.choices } : {};
    default:
      return {};
  }
}

export const nixOptions: readonly NixOption[] = describedKeys.map(({ table, name, key }) => ({
  option: [optionName(table), optionName(name)],
  table,
  key: name,
  kind: key.kind,
  default: key.default,
  about: key.about,
  ...limits(key),
}));

/** A value as one writes it in Nix; for booleans, numbers, texts and lists of texts, which is what there is. */
function nixValue(value: unknown): string {
  return Array.isArray(value)
    ? `[ ${value.map(nixValue).join(" ")}${value.length > 0 ? " " : ""}]`
    : JSON.stringify(value);
}

export function optionsJson(): string {
  return `${JSON.stringify(nixOptions, undefined, 2)}\n`;
}

export function optionTable(): string {
  const cell = (text: string): string => text.replaceAll("|", "\\|");
  const rows = describedKeys.map(({ key }, index) => {
    const { option = [], about = "" } = nixOptions[index] ?? {};
    return `| \`${option.join(".")}\` | \`${cell(nixValue(key.default))}\` | ${cell(allowed(key))} | ${cell(about)} |`;
  });
  return ["| option | default | allowed | |", "|---|---|---|---|", ...rows].join("\n");
}

const BEGIN = "<!-- Made by `npm run generate`. -->\n\n";
const END = "\n\n<!-- Until here. -->";

/** The text with the table of today in its place. Throws where there is no place for it. */
export function withOptionTable(text: string): string {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error("no place for the table of options");
  return text.slice(0, begin + BEGIN.length) + optionTable() + text.slice(end);
}
