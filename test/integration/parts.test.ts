// What each program keeps in memory of the built program as long as it runs: its own code, not what it may need later.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { program } from "./peers/agent.ts";

/** Idle daemon and session together are near their limit in memory; a part that is loaded too early shows here first. */
const MOST_BYTES = 350_000;

/** Code that is loaded with this file, and by it. */
function loadedWith(file: string, loaded = new Map<string, string>()): Map<string, string> {
  if (loaded.has(file)) return loaded;
  const code = readFileSync(file, "utf8");
  loaded.set(file, code);
  for (const [, path = ""] of code.matchAll(/(?:\bfrom|\bimport)"(\.[^"]+\.js)"/g))
    loadedWith(join(dirname(file), path), loaded);
  return loaded;
}

test.each(["daemon", "session"])("%s is loaded without what it needs only sometimes", (name) => {
  const start = readFileSync(program, "utf8");
  const path = new RegExp(`import\\("(\\./parts/${name}-[^"]+)"\\)`).exec(start)?.[1] ?? "";
  const loaded = loadedWith(join(dirname(program), path), loadedWith(program));
  const code = [...loaded.values()].join("");
  const parts = join(dirname(program), "parts");
  const all = readdirSync(parts)
    .map((file) => readFileSync(join(parts, file), "utf8"))
    .join("");
  expect(loaded.size).toBeGreaterThan(3);
  expect(code.length).toBeLessThan(MOST_BYTES);
  for (const heavy of ["SaxesParser", "UTIF", "node_modules/jpeg-js", "MessageBus=class", 'require("koffi")']) {
    expect(code, heavy).not.toContain(heavy);
    expect(all, heavy).toContain(heavy);
  }
  // A single character beyond Latin-1 would take two bytes for every one of its file.
  expect(code).toMatch(/^[\0-\xff]*$/);
});
