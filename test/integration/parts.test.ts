// What each program keeps in memory of the built program as long as it runs: its own code, not what it may need later.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { program } from "./peers/agent.ts";

/** Idle daemon and session together are near their limit in memory; a part that is loaded too early shows here first. */
const MOST_BYTES = 385_000;

/** Code that is loaded with this file, and by it. */
function loadedWith(file: string, loaded = new Map<string, string>()): Map<string, string> {
  if (loaded.has(file)) return loaded;
  const code = readFileSync(file, "utf8");
  loaded.set(file, code);
  for (const [, path = ""] of code.matchAll(/(?<!=>__toESM\()\brequire\("(\.[^"]+\.js)"\)/g))
    loadedWith(join(dirname(file), path), loaded);
  return loaded;
}

/** What is loaded with the part that an `import()` of this file gets. */
function loadedLater(file: string, name: string, loaded: Map<string, string>): Map<string, string> {
  const code = readFileSync(file, "utf8");
  const path = new RegExp(`=>__toESM\\(require\\("(\\./[^"]*\\b${name}-[^"]+)"\\)`).exec(code)?.[1];
  if (path === undefined) throw new Error(`${file} has no import() of ${name}`);
  return loadedWith(join(dirname(file), path), loaded);
}

test.each(["daemon", "session"])("%s is loaded without what it needs only sometimes", (name) => {
  const parts = join(dirname(program), "parts");
  const loaded = loadedLater(program, "main", loadedWith(program));
  const main = [...loaded.keys()].find((file) => /\/main-[^/]+$/.test(file)) ?? "";
  loadedLater(main, name, loaded);
  const code = [...loaded.values()].join("");
  const all = readdirSync(parts)
    .map((file) => readFileSync(join(parts, file), "utf8"))
    .join("");
  expect(loaded.size).toBeGreaterThan(3);
  expect(code.length).toBeLessThan(MOST_BYTES);
  for (const heavy of ["SaxesParser", "UTIF", "node_modules/jpeg-js", "MessageBus=class", '__require)("koffi")']) {
    expect(code, heavy).not.toContain(heavy);
    expect(all, heavy).toContain(heavy);
  }
  // A single character beyond Latin-1 would take two bytes for every one of its file.
  expect(code).toMatch(/^[\0-\xff]*$/);
});
