// Connections side by side on one port: the numbers that the other end sees of them.
import { expect, test } from "vitest";
import {
  type MuxConnection,
  MuxConnections,
  takesAll,
  toBeginAnew,
} from "../../../../src/system/shared-folder/mux-connections.ts";
import { MAX_MUX_PAYLOAD_BYTES, MuxReader, muxHeader } from "../../../../src/wire/webdav-mux.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";

function twoEnds() {
  const told: string[] = [];
  const reader = new MuxReader({
    data: (id, piece) => told.push(`${id}: ${Buffer.from(piece).toString()}`),
    closed: (id) => told.push(`${id} closed`),
  });
  const write = (bytes: Uint8Array): boolean => {
    reader.push(bytes);
    return true;
  };
  const line = { taken: 0, write, drained: async () => {}, pause: () => {}, resume: () => {} };
  let lastId = 0n;
  const mux = new MuxConnections(line, () => ++lastId, recordingLog().log);
  const open = (): MuxConnection => mux.open({ data: () => {}, closed: () => {}, ...takesAll });
  return { mux, told, open };
}

test("are given in the order of their first bytes: a lower one would be taken for late", () => {
  const { told, open } = twoEnds();
  const [first, second] = [open(), open()];
  second.send(Buffer.from("b"));
  first.send(Buffer.from("a"));
  second.send(Buffer.from("c"));
  first.close();
  expect(told).toEqual(["1: b", "2: a", "1: c", "2 closed"]);
});

test("one that has said nothing is not told of, and counts as one all the same", () => {
  const { mux, told, open } = twoEnds();
  const silent = open();
  expect(mux.count).toBe(1);
  silent.close();
  silent.send(Buffer.from("late"));
  expect(mux.count).toBe(0);
  expect(told).toEqual([]);
  const all = Array.from({ length: 256 }, open);
  expect(open).toThrow("256 connections are open already");
  all[0]?.close();
  expect(open).not.toThrow();
});

test("an end is asked to begin anew wherever it is in a frame of another time", () => {
  const frame = Buffer.concat([muxHeader(-1n, MAX_MUX_PAYLOAD_BYTES), Buffer.alloc(MAX_MUX_PAYLOAD_BYTES, 0xff)]);
  for (let at = 0; at <= frame.length; at += at < 20 ? 1 : 997) {
    const { mux } = twoEnds();
    let isAsked = false;
    mux.anew = () => {
      isAsked = true;
    };
    mux.push(frame.subarray(0, at));
    expect(isAsked).toBe(false);
    mux.push(toBeginAnew());
    expect(isAsked).toBe(true);
  }
});
