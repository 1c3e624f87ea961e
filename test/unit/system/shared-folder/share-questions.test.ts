// What is asked of the viewer's server, where it cannot be.
import { expect, test } from "vitest";
import { MAX_CONNECTIONS, MuxConnections, takesAll } from "../../../../src/system/shared-folder/mux-connections.ts";
import { isReadOnly } from "../../../../src/system/shared-folder/share-questions.ts";
import { MuxReader, muxHeader } from "../../../../src/wire/webdav-mux.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";

test("a viewer that cannot be asked, as all connections are open, is not said to be silent", async () => {
  const line = { write: () => true, taken: 0, drained: async () => {}, pause: () => {}, resume: () => {} };
  let lastId = 0n;
  const mux = new MuxConnections(line, () => ++lastId, recordingLog().log);
  for (let number = 0; number < MAX_CONNECTIONS; number += 1)
    mux.open({ data: () => {}, closed: () => {}, ...takesAll });
  await expect(isReadOnly(mux, new ManualClock(), new AbortController().signal)).rejects.toMatchObject({
    code: "shared-folder.too-many",
  });
});

/** A viewer's server that answers every request with this, and never closes. */
function answering(answer: string): MuxConnections {
  const reader = new MuxReader({
    data: (id) => setImmediate(() => mux.push(Buffer.concat([muxHeader(id, answer.length), Buffer.from(answer)]))),
    closed: () => {},
  });
  const write = (bytes: Uint8Array): boolean => {
    reader.push(bytes);
    return true;
  };
  const line = { write, taken: 0, drained: async () => {}, pause: () => {}, resume: () => {} };
  let lastId = 0n;
  const mux: MuxConnections = new MuxConnections(line, () => ++lastId, recordingLog().log);
  return mux;
}

test("a connection is closed when its question is answered, even if the viewer keeps it", async () => {
  const mux = answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  expect(await isReadOnly(mux, new ManualClock(), new AbortController().signal)).toBe(false);
  expect(mux.count).toBe(0);
});

test.each([
  ["switches protocols", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"],
  ["speaks no HTTP", "\0\x01garbage\r\n\r\n"],
])("a viewer that %s has not answered, and nothing of it stays open", async (_, answer) => {
  const mux = answering(answer);
  await expect(isReadOnly(mux, new ManualClock(), new AbortController().signal)).rejects.toMatchObject({
    code: "shared-folder.no-answer",
  });
  expect(mux.count).toBe(0);
});
