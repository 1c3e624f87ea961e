// The selections that are ours, before an X server that is not there: what becomes of a paste that fails.
import { expect, test } from "vitest";
import { type AskViewer, SelectionServer } from "../../../../src/desktop/clipboard/x11/selection-server.ts";
import type { XConnection } from "../../../../src/desktop/x11/x-connection.ts";
import { BackendError } from "../../../../src/support/errors.ts";
import { unhandledIn } from "../../../fakes/faults-of-ours.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";

const CLIPBOARD = 100;

/** One application pastes text; the properties it is told of, and what is logged. */
async function pasted(askViewer: AskViewer): Promise<{ readonly told: number[]; readonly lines: readonly string[] }> {
  const told: number[] = [];
  const names: string[] = [];
  const atom = async (name: string): Promise<number> => {
    if (!names.includes(name)) names.push(name);
    return names.indexOf(name) + 1;
  };
  let event: (event: object) => void = () => {};
  const x = {
    window: 1,
    atom,
    atomName: async (number: number) => names[number - 1],
    onEvent: (listener: typeof event) => {
      event = listener;
      return { [Symbol.dispose]: () => {} };
    },
    client: {
      SetSelectionOwner: () => {},
      SendEvent: (...[, , , { property }]: [number, boolean, number, { readonly property: number }]) =>
        void told.push(property),
    },
    ask: async (request: (callback: () => void) => void) => request(() => {}),
  };
  const { log, lines } = recordingLog();
  const options = { clock: new ManualClock(), log, watched: {} as never };
  using server = await SelectionServer.create(x as unknown as XConnection, options, askViewer);
  server.offer(CLIPBOARD, ["UTF8_STRING"], false);
  server.owns(CLIPBOARD, 1);
  const target = await atom("UTF8_STRING");
  event({ kind: "selection-request", time: 2, requestor: 7, selection: CLIPBOARD, target, property: 8 });
  for (let turns = 0; turns < 20; turns += 1) await new Promise((resolve) => setImmediate(resolve));
  return { told, lines };
}

test("one that the viewer cannot serve is told so", async () => {
  const { told, lines } = await pasted(() => Promise.reject(new BackendError("link.closed", "the daemon is gone")));
  expect(told).toEqual([0]);
  expect(lines).toEqual(["warn: a paste failed: link.closed: the daemon is gone"]);
});

test("a fault of ours is not taken for the viewer's", async () => {
  const fault = new TypeError("ours");
  const unhandled = await unhandledIn(async () => {
    expect((await pasted(() => Promise.reject(fault))).lines).toEqual([]);
  });
  expect(unhandled).toBe(fault);
});
