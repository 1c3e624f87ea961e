// Whose turn it is on a connection.
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { Turns } from "../../../../src/desktop/guest-share/turns.ts";

test("one after the other on a connection, side by side on several, and none after the last", async () => {
  const turns = new Turns();
  const [one, other] = [{}, {}];
  const told: string[] = [];
  const finish = new Map<string, (goesOn: boolean) => void>();
  const take = (connection: object, name: string): boolean =>
    turns.take(connection, () => {
      told.push(name);
      return new Promise((resolve) => finish.set(name, resolve));
    });
  for (const name of ["a", "b", "c"]) take(one, name);
  take(other, "x");
  await setImmediate();
  expect(told).toEqual(["a", "x"]);
  expect([turns.isBusy(one), turns.isBusy(other), turns.isBusy({})]).toEqual([true, true, false]);
  finish.get("a")?.(true);
  await setImmediate();
  expect(told).toEqual(["a", "x", "b"]);
  finish.get("b")?.(false);
  await setImmediate();
  expect(told).toEqual(["a", "x", "b"]);
  expect(turns.isBusy(one)).toBe(false);
  take(one, "d");
  await setImmediate();
  expect(told).not.toContain("d");
});
