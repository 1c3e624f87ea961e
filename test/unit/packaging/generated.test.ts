// What is committed and made from the configuration's keys is what they would make today.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { nixOptions, optionsJson, withOptionTable } from "../../../scripts/reference/nix-options.ts";

test("the NixOS module's options are made from today's keys (npm run generate)", () => {
  expect(readFileSync("nixos-module/options.json", "utf8")).toBe(optionsJson());
});

test("the table in the NixOS module's README, too (npm run generate)", () => {
  const text = readFileSync("nixos-module/README.md", "utf8");
  expect(text).toBe(withOptionTable(text));
  for (const { option } of nixOptions) expect(text).toContain(`| \`${option.join(".")}\` |`);
});

test("no two keys become one option", () => {
  const names = nixOptions.map(({ option }) => option.join("."));
  expect(new Set(names).size).toBe(names.length);
});
