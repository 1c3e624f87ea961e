// Two ends in memory do what those of a socket do.
import { once } from "node:events";
import { finished } from "node:stream/promises";
import { expect, test } from "vitest";
import { joinedPair } from "../../../../src/support/link/joined-pair.ts";
import { settled } from "./link-end.ts";

test("what is written at one end is read at the other, in order, both ways", async () => {
  const [left, right] = joinedPair();
  const heard = { left: "", right: "" };
  left.on("data", (bytes) => (heard.left += bytes));
  right.on("data", (bytes) => (heard.right += bytes));
  for (let n = 0; n < 10; n++) {
    left.write(Buffer.from(`${n},`));
    right.write(Buffer.from(`${n};`));
  }
  await settled();
  expect(heard).toEqual({ left: "0;1;2;3;4;5;6;7;8;9;", right: "0,1,2,3,4,5,6,7,8,9," });
});

test("what is written together is read in the same turn, without a copy", () => {
  const [left, right] = joinedPair();
  const heard: Uint8Array[] = [];
  right.on("data", (bytes) => heard.push(bytes));
  right.resume();
  const pieces = [1, 2, 3].map((value) => Buffer.alloc(70_000, value));
  return settled().then(() => {
    left.cork();
    for (const piece of pieces) left.write(piece);
    left.uncork();
    expect(heard.map((piece) => piece.buffer)).toEqual(pieces.map((piece) => piece.buffer));
  });
});

test("whoever writes to an end that is not read is told to wait, and to go on when it is", async () => {
  const [left, right] = joinedPair();
  let wrote = 0;
  while (wrote < 100 && left.write(Buffer.alloc(16 * 1024))) wrote += 1;
  expect(wrote).toBeLessThan(100);
  await settled();
  expect(left.writableNeedDrain).toBe(true);
  const drained = once(left, "drain");
  let heard = 0;
  right.on("data", (bytes) => (heard += bytes.length));
  await drained;
  await settled();
  expect(heard).toBe((wrote + 1) * 16 * 1024);
});

test("an end that is ended ends the other when that has read what was written before", async () => {
  const [left, right] = joinedPair();
  let heard = "";
  right.on("data", (bytes) => (heard += bytes));
  left.write(Buffer.from("last "));
  left.end(Buffer.from("words"));
  await once(right, "end");
  expect(heard).toBe("last words");
});

test("they go together", async () => {
  const [left, right] = joinedPair();
  left.destroy();
  await finished(right).catch(() => {});
  expect(right.destroyed).toBe(true);
});
