// Manual and completions, as man and the shells read them.
import { mkdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { describedKeys } from "../../scripts/reference/keys.ts";
import { commands } from "../../src/programs/command-line.ts";
import { run } from "./nix/nix.ts";
import { makeTempDir } from "./peers/temp-dir.ts";

async function rendered(page: string): Promise<string> {
  const env = { ...process.env, LC_ALL: "C.UTF-8", MANWIDTH: "200", MAN_KEEP_FORMATTING: "", GROFF_NO_SGR: "1" };
  const { code, out, errors } = await run("man", ["-l", "--warnings", "-Tutf8", `dist/man/${page}`], env);
  expect(errors).toBe("");
  expect(code).toBe(0);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: how bold letters are printed.
  return out.replaceAll(/.\x08/g, "").replaceAll("‐", "-");
}

describe("the manual", () => {
  test("tsvdagent(1) renders without a warning, and has every command with its options", async () => {
    const text = await rendered("tsvdagent.1");
    for (const [name, { options }] of Object.entries(commands)) {
      expect(text).toContain(`\n   ${name}\n`);
      for (const option of Object.keys(options)) expect(text).toContain(`--${option}`);
    }
  });

  test("tsvdagent.toml(5) renders without a warning, and has every key with its default", async () => {
    const text = await rendered("tsvdagent.toml.5");
    for (const { table, name, key } of describedKeys) {
      expect(text).toContain(`[${table}]`);
      const value = Array.isArray(key.default)
        ? `[${key.default.map((entry) => JSON.stringify(entry)).join(", ")}]`
        : JSON.stringify(key.default);
      expect(text).toContain(`${name} = ${value}`);
      expect(text.replaceAll(/\s+/g, " ")).toContain(key.about);
    }
  });
});

describe("bash completes", () => {
  /** What is offered where the last of these words stands. */
  async function offered(...words: readonly string[]): Promise<readonly string[]> {
    const script = `
      source dist/completions/tsvdagent.bash
      # Only where bash itself completes is there something to set.
      compopt() { :; }
      COMP_WORDS=("$@")
      COMP_CWORD=$(($# - 1))
      _tsvdagent
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { code, out, errors } = await run("bash", ["--norc", "-c", script, "bash", "tsvdagent", ...words]);
    expect(errors).toBe("");
    expect(code).toBe(0);
    return out.trim().split("\n");
  }

  test("commands", async () => {
    expect(await offered("")).toEqual([...Object.keys(commands), "--help", "--version"]);
    expect(await offered("da")).toEqual(["daemon"]);
  });

  test.each(Object.entries(commands))("options of %s", async (name, { options }) => {
    expect(await offered(name, "--")).toEqual(Object.keys(options).map((option) => `--${option}`));
  });

  test("levels, and files", async () => {
    expect(await offered("daemon", "--log", "")).toEqual(["error", "warn", "info", "debug"]);
    expect(await offered("daemon", "--config", "packaging/conf")).toEqual(["packaging/config.toml"]);
  });

  test("nothing where nothing is known", async () => {
    expect(await offered("nonsense", "--")).toEqual([""]);
  });
});

test("zsh reads its completions", async () => {
  expect(await run("zsh", ["-n", "dist/completions/_tsvdagent"])).toEqual({ code: 0, out: "", errors: "" });
  expect(readFileSync("dist/completions/_tsvdagent", "utf8")).toMatch(/^#compdef tsvdagent\n/);
});

test("fish completes commands and options", async () => {
  using home = makeTempDir("fish");
  mkdirSync(home.join("config"));
  const env = { ...process.env, HOME: home.path, XDG_CONFIG_HOME: home.join("config"), XDG_DATA_HOME: home.path };
  const offered = async (line: string): Promise<readonly string[]> => {
    const script = `source dist/completions/tsvdagent.fish; complete --do-complete '${line}'`;
    const { code, out } = await run("fish", ["--no-config", "-c", script], env);
    expect(code).toBe(0);
    return out
      .trim()
      .split("\n")
      .map((entry) => entry.split("\t")[0] ?? "");
  };
  expect([...(await offered("tsvdagent "))].sort()).toEqual(Object.keys(commands).sort());
  const options = Object.keys(commands.status.options).map((option) => `--${option}`);
  expect([...(await offered("tsvdagent status --"))].sort()).toEqual(options.sort());
});
