// Reads the configuration: TOML, checked key by key against the schema. A fault names file, line, key, value and what is allowed.
import { readFile } from "node:fs/promises";
import { parse, TomlError } from "smol-toml";
import { type Config, type ConfigKey, configSchema } from "./config-schema.ts";
import { narrowedValue, shown, userMaySay, whatIsAllowed } from "./config-value.ts";
import { ConfigError } from "./errors.ts";

const schema: Readonly<Record<string, Readonly<Record<string, ConfigKey>>>> = configSchema;

type Values = Record<string, Record<string, unknown>>;

export const defaultConfig: Config = filledIn({});

/** Throws a ConfigError. A missing file is one only when `required`. */
export async function readConfig(path: string, required: boolean): Promise<Config> {
  const text = await readText(path, required);
  return text === undefined ? defaultConfig : filledIn(checked(path, text, () => true));
}

/** A user's own file may only take away from what the system allows, and choose folders. Throws a ConfigError. */
export async function narrowedByUser(config: Config, path: string): Promise<Config> {
  const text = await readText(path, false);
  if (text === undefined) return config;
  const values = checked(path, text, userMaySay);
  const narrowed: Values = structuredClone(config);
  for (const [table, keys] of Object.entries(values)) {
    for (const [name, value] of Object.entries(keys)) {
      const target = narrowed[table];
      const key = schema[table]?.[name];
      if (target !== undefined && key !== undefined) target[name] = narrowedValue(key, target[name], value);
    }
  }
  return filledIn(narrowed);
}

async function readText(path: string, required: boolean): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && !required) return undefined;
    throw new ConfigError(`${path}: cannot be read: ${code ?? String(error)}`);
  }
}

function checked(path: string, text: string, mayStand: (key: ConfigKey) => boolean): Values {
  const values: Values = {};
  for (const [table, keys] of Object.entries(parsed(path, text))) {
    // Its own keys only: every object also has a `constructor`.
    const known = Object.hasOwn(schema, table) ? schema[table] : undefined;
    const where = `${path}${lineOf(text, table)}`;
    if (known === undefined) throw new ConfigError(`${where}: unknown table [${table}]: ${oneOf(Object.keys(schema))}`);
    if (!isTable(keys)) throw new ConfigError(`${where}: ${table} = ${shown(keys)}: a table [${table}] is expected`);
    values[table] = {};
    for (const [name, value] of Object.entries(keys)) {
      // A key of an inline table stands where its table begins.
      const at = `${path}${lineOf(text, `${table}.${name}`) || lineOf(text, table)}`;
      const key = Object.hasOwn(known, name) ? known[name] : undefined;
      if (key === undefined) {
        throw new ConfigError(`${at}: unknown key ${table}.${name} = ${shown(value)}: ${oneOf(Object.keys(known))}`);
      }
      if (!mayStand(key)) throw new ConfigError(`${at}: ${table}.${name}: only the system's configuration may set it`);
      const allowed = whatIsAllowed(key, value);
      if (allowed !== undefined)
        throw new ConfigError(`${at}: ${table}.${name} = ${shown(value)}: allowed is ${allowed}`);
      (values[table] as Record<string, unknown>)[name] = value;
    }
  }
  return values;
}

function parsed(path: string, text: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new ConfigError(
      `${path}:${error.line}: ${(error.message.split("\n")[0] ?? "").replace(/^Invalid TOML document: /, "")}`,
    );
  }
}

function filledIn(values: Values): Config {
  const tables = Object.entries(schema).map(([table, keys]) => {
    const filled = Object.entries(keys).map(([name, key]) => [name, values[table]?.[name] ?? key.default]);
    return [table, Object.fromEntries(filled)];
  });
  // Table by table and key by key from the schema, and the values were checked against it.
  return Object.fromEntries(tables) as Config;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function oneOf(names: readonly string[]): string {
  return `known are ${names.join(", ")}`;
}

/** `:LINE` of the first mention of a table or of a key, `table.key`; nothing where the text spells it in some other way. */
function lineOf(text: string, path: string): string {
  let table = "";
  for (const [index, line] of text.split("\n").entries()) {
    const header = plain(/^\s*\[{1,2}([^\]]+)\]/.exec(line)?.[1]);
    const key = plain(/^\s*([^=#[]+)=/.exec(line)?.[1]);
    if (header !== undefined) table = header;
    const here = header ?? (key === undefined || table === "" ? key : `${table}.${key}`);
    if (here === path || here?.startsWith(`${path}.`) === true) return `:${index + 1}`;
  }
  return "";
}

/** A dotted name without quotes and blanks. */
function plain(name: string | undefined): string | undefined {
  return name?.replace(/["'\s]/g, "");
}
