// Applications that take a large content piece by piece, before an X server that is not there.
import { expect, test } from "vitest";
import { SelectionServer } from "../../../../src/desktop/clipboard/x11/selection-server.ts";
import type { XConnection } from "../../../../src/desktop/x11/x-connection.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";

const CLIPBOARD = 100;
const PIECE_BYTES = 1000;
const PIECES = 5;

/** What one application finds on its property, by the first byte of each piece, when it has asked so often. */
async function taken(times: number): Promise<{ readonly found: readonly string[]; readonly lines: readonly string[] }> {
  const names: string[] = [];
  const atom = async (name: string): Promise<number> =>
    (names.includes(name) ? names.indexOf(name) : names.push(name) - 1) + 1;
  const listeners = new Set<(event: object) => void>();
  const tell = (event: object): void => {
    for (const listener of [...listeners]) listener(event);
  };
  let property: Buffer | undefined;
  /** Announcements of a new value that the application has not seen to yet. */
  let news = 0;
  const put = (data: Uint8Array): void => {
    property = Buffer.from(data);
    news += 1;
  };
  let parts: Buffer[] = [];
  const x = {
    window: 1,
    maxPropertyBytes: PIECE_BYTES,
    atom,
    atomName: async (number: number) => names[number - 1],
    onEvent: (listener: (event: object) => void) => {
      listeners.add(listener);
      return { [Symbol.dispose]: () => listeners.delete(listener) };
    },
    client: {
      seq_num: 0,
      SetSelectionOwner: () => {},
      SendEvent: () => {},
      ChangeProperty: (...[, , , , , data]: [number, number, number, number, number, Uint8Array]) => put(data),
      pack_stream: {
        put: (part: Buffer) => parts.push(part),
        submit: () => {
          const request = Buffer.concat(parts);
          parts = [];
          put(request.subarray(24, 24 + request.readUInt32LE(20)));
        },
      },
    },
    ask: async (request: (callback: () => void) => void) => request(() => {}),
    check: async (request: () => void) => {
      request();
      await turn();
    },
  };
  const content = async function* (): AsyncGenerator<Uint8Array> {
    for (let piece = 0; piece < PIECES; piece += 1) yield Buffer.alloc(PIECE_BYTES, piece);
  };
  const { log, lines } = recordingLog();
  const watched = { watch: () => ({ [Symbol.dispose]: () => {} }) };
  const options = { clock: new ManualClock(), log, watched: watched as never };
  const answer = async () => ({ content: content(), bytes: PIECES * PIECE_BYTES });
  using server = await SelectionServer.create(x as unknown as XConnection, options, answer as never);
  server.offer(CLIPBOARD, ["image/png"], false);
  server.owns(CLIPBOARD, 1);
  const target = await atom("image/png");
  for (let n = 0; n < times; n += 1) {
    tell({ kind: "selection-request", time: 2, requestor: 7, selection: CLIPBOARD, target, property: 8 });
    for (let turns = 0; turns < 20; turns += 1) await turn();
  }
  const found: string[] = [];
  const take = (): void => {
    property = undefined;
    tell({ kind: "property-notify", window: 7, property: 8, deleted: true });
  };
  news = 0;
  take();
  for (let turns = 0; turns < 100 && found.at(-1) !== "end"; turns += 1) {
    await turn();
    for (; news > 0; news -= 1) {
      found.push(property === undefined ? "nothing" : property.length === 0 ? "end" : String(property[0]));
      if (property !== undefined) take();
    }
  }
  return { found, lines };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("all pieces in their order, then the end", async () => {
  expect(await taken(1)).toEqual({ found: ["0", "1", "2", "3", "4", "end"], lines: [] });
});

test("asked for again in the same place: the later one is given, each piece once", async () => {
  const { found, lines } = await taken(2);
  expect(found).toEqual(["0", "1", "2", "3", "4", "end"]);
  expect(lines).toEqual(["warn: a paste failed: clipboard.lost: the application has asked again"]);
});
