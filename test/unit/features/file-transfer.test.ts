import { describe, expect, test } from "vitest";
import {
  type FileTransferEffect,
  type FileTransferInput,
  type FileTransferState,
  fileTransferStep,
  MAX_OPEN_FILES,
  MAX_WAITING_FILES,
  newFileTransfers,
} from "../../../src/features/file-transfer.ts";
import { FileXferStatus as Status } from "../../../src/wire/agent-constants.ts";
import type { FileXferStatus } from "../../../src/wire/file-xfer-status.ts";

/** With a viewer that reads details, and a session of a user that is open. */
class Transfers {
  readonly state: FileTransferState;
  /** Everything so far. */
  readonly effects: FileTransferEffect[] = [];

  constructor({ enabled = true, isDetailed = true }: { enabled?: boolean; isDetailed?: boolean } = {}) {
    this.state = newFileTransfers({ enabled });
    this.input({ kind: "viewer-arrived", isDetailed });
    this.input({ kind: "taker-changed", taker: "user" });
  }

  /** Without what is only awaited and noted. */
  input(input: FileTransferInput): readonly FileTransferEffect[] {
    const effects = fileTransferStep(this.state, input);
    this.effects.push(...effects);
    return effects.filter(({ kind }) => !kind.startsWith("await") && kind !== "note");
  }

  start(id: number, size: number | bigint = 10, name = "a"): readonly FileTransferEffect[] {
    return this.input({ kind: "host-started", id, name, size: BigInt(size) });
  }

  /** The session takes it, and the viewer may send. */
  accepted(id: number, size = 10): number {
    const started = this.start(id, size).find((effect) => effect.kind === "start-in-guest");
    if (started?.kind !== "start-in-guest") throw new Error("it was not started");
    this.answer(started.fileId, Status.CAN_SEND_DATA);
    return started.fileId;
  }

  answer(fileId: number, result: number): readonly FileTransferEffect[] {
    return this.input({ kind: "guest-answered", fileId, outcome: { result } });
  }

  sends(id: number, bytes: number, claimed = BigInt(bytes)): readonly FileTransferEffect[] {
    return this.input({ kind: "host-sent", id, claimed, bytes });
  }

  statuses(id: number): FileXferStatus[] {
    return this.effects.flatMap((effect) =>
      effect.kind === "send-status" && effect.status.id === id ? [effect.status] : [],
    );
  }
}

const status = (id: number, result: number, detail: object = {}): FileTransferEffect => ({
  kind: "send-status",
  status: { id, result, ...detail },
});

test("row 65: a start is asked of the session, then data may come, then there is one last word", () => {
  const all = new Transfers();
  expect(all.start(7, 10, "a.txt")).toEqual([{ kind: "start-in-guest", fileId: 1, name: "a.txt", size: 10n }]);
  expect(all.answer(1, Status.CAN_SEND_DATA)).toEqual([
    { kind: "open-body", fileId: 1 },
    status(7, Status.CAN_SEND_DATA),
  ]);
  expect(all.sends(7, 6)).toEqual([{ kind: "take-data", fileId: 1, isLast: false }]);
  expect(all.sends(7, 4)).toEqual([{ kind: "take-data", fileId: 1, isLast: true }]);
  expect(all.answer(1, Status.SUCCESS)).toEqual([status(7, Status.SUCCESS)]);
  expect(all.state).toMatchObject({ saved: 1, waitingFiles: 0, waitingBytes: 0n });
  expect(all.effects.at(-1)).toEqual({ kind: "note", text: "1 saved" });
});

test("row 66: an empty file is whole with its one empty message", () => {
  const all = new Transfers();
  all.accepted(7, 0);
  expect(all.sends(7, 0)).toEqual([{ kind: "take-data", fileId: 1, isLast: true }]);
});

describe("row 71: nobody can take it", () => {
  test.each([
    ["nobody is there", Status.VDAGENT_NOT_CONNECTED, (all: Transfers) => all.input({ kind: "taker-left" })],
    [
      "the session is locked",
      Status.SESSION_LOCKED,
      (all: Transfers) => all.input({ kind: "taker-changed", taker: "locked" }),
    ],
    [
      "row 86: a login screen",
      Status.DISABLED,
      (all: Transfers) => all.input({ kind: "taker-changed", taker: "not-a-user" }),
    ],
  ])("%s", (_, result, change) => {
    for (const isDetailed of [true, false]) {
      const all = new Transfers({ isDetailed });
      change(all);
      expect(all.start(3)).toEqual([status(3, isDetailed ? result : Status.ERROR)]);
    }
  });

  test("switched off by the configuration", () => {
    expect(new Transfers({ enabled: false }).start(3)).toEqual([status(3, Status.DISABLED)]);
    expect(new Transfers({ enabled: false, isDetailed: false }).start(3)).toEqual([status(3, Status.ERROR)]);
  });

  test("what was accepted goes on when the screen locks itself", () => {
    const all = new Transfers();
    all.accepted(1);
    for (let id = 2; id <= MAX_OPEN_FILES + 1; id += 1) all.start(id);
    all.input({ kind: "taker-changed", taker: "locked" });
    all.sends(1, 10);
    expect(all.answer(1, Status.SUCCESS).map(({ kind }) => kind)).toEqual(["send-status", "start-in-guest"]);
  });
});

describe("row 70: errors are told in detail to a viewer that reads details", () => {
  test.each([
    ["space", { result: 4, freeBytes: 5n }, { id: 1, result: 4, freeBytes: 5n }, { id: 1, result: 2 }],
    [
      "space, of which the session does not say how much",
      { result: 4 },
      { id: 1, result: 4, freeBytes: 0n },
      { id: 1, result: 2 },
    ],
    ["a name", { result: 2, gioError: 10 }, { id: 1, result: 2, gioError: 10 }, { id: 1, result: 2 }],
    ["anything", { result: 2 }, { id: 1, result: 2, gioError: 0 }, { id: 1, result: 2 }],
    ["cancelled", { result: 1 }, { id: 1, result: 1 }, { id: 1, result: 1 }],
    ["a result nobody knows", { result: 77 }, { id: 1, result: 2, gioError: 0 }, { id: 1, result: 2 }],
  ])("%s", (_, outcome, detailed, plain) => {
    for (const isDetailed of [true, false]) {
      const all = new Transfers({ isDetailed });
      all.start(1);
      all.input({ kind: "guest-answered", fileId: 1, outcome });
      expect(all.statuses(1)).toEqual([isDetailed ? detailed : plain]);
    }
  });
});

describe("row 72: many at once wait their turn", () => {
  test("the 129th, and the 1000th, is not refused and arrives", () => {
    const all = new Transfers();
    for (let id = 1; id <= 1000; id += 1) all.start(id, 1);
    expect([all.state.open.size, all.state.waitingFiles, all.state.waitingBytes]).toEqual([
      MAX_OPEN_FILES,
      1000 - MAX_OPEN_FILES,
      BigInt(1000 - MAX_OPEN_FILES),
    ]);
    for (let id = 1; id <= 1000; id += 1) {
      all.answer(id, Status.CAN_SEND_DATA);
      all.sends(id, 1);
      all.answer(id, Status.SUCCESS);
      expect(all.state.open.size).toBeLessThanOrEqual(MAX_OPEN_FILES);
    }
    for (const id of [1, 129, 1000]) expect(all.statuses(id).map(({ result }) => result)).toEqual([0, 3]);
    expect(all.state).toMatchObject({ saved: 1000, waitingFiles: 0, waitingBytes: 0n, waitingNames: 0 });
  });

  test("what is beyond 100 000 is refused, in time", () => {
    const all = new Transfers();
    const count = MAX_WAITING_FILES + MAX_OPEN_FILES;
    for (let id = 1; id <= count; id += 1) all.start(id, 1);
    expect(all.effects.filter(({ kind }) => kind === "send-status")).toEqual([]);
    expect(all.start(count + 1)).toEqual([status(count + 1, Status.ERROR, { gioError: 31 })]);
    for (let id = 1; id <= count; id += 1) {
      all.answer(id, Status.CAN_SEND_DATA);
      all.sends(id, 1);
      all.answer(id, Status.SUCCESS);
    }
    expect(all.state.saved).toBe(count);
  });

  test("names cannot fill the memory", () => {
    const all = new Transfers();
    let refused = 0;
    for (let id = 1; id <= 20_000; id += 1)
      if (all.start(id, 1, "x".repeat(4000)).some(({ kind }) => kind === "send-status")) refused += 1;
    expect(refused).toBeGreaterThan(10_000);
    expect(all.start(30_000, 1, "x".repeat(5000))).toEqual([status(30_000, Status.ERROR, { gioError: 9 })]);
  });

  test("one that waits can be cancelled, and the next is not passed over", () => {
    const all = new Transfers();
    for (let id = 1; id <= MAX_OPEN_FILES + 2; id += 1) all.start(id);
    all.input({ kind: "host-gave-up", id: MAX_OPEN_FILES + 1 });
    all.answer(1, Status.CAN_SEND_DATA);
    all.sends(1, 10);
    expect(all.answer(1, Status.SUCCESS)).toEqual([
      status(1, Status.SUCCESS),
      { kind: "start-in-guest", fileId: MAX_OPEN_FILES + 2, name: "a", size: 10n },
    ]);
    expect(all.state.waitingFiles).toBe(0);
  });
});

describe("row 73: an id that is in use", () => {
  test("is refused, and the first goes on unharmed", () => {
    const all = new Transfers();
    all.accepted(5);
    expect(all.start(5)).toEqual([status(5, Status.ERROR, { gioError: 2 })]);
    expect(all.sends(5, 10)).toEqual([{ kind: "take-data", fileId: 1, isLast: true }]);
    expect(all.answer(1, Status.SUCCESS)).toEqual([status(5, Status.SUCCESS)]);
  });

  test("is free again when the first is over", () => {
    const all = new Transfers();
    all.accepted(5);
    all.sends(5, 10);
    all.answer(1, Status.SUCCESS);
    expect(all.accepted(5)).toBe(2);
    expect(all.answer(1, Status.ERROR)).toEqual([]);
  });
});

test("row 74: the viewer cancels: the session lets go, and nothing more is said", () => {
  const all = new Transfers();
  all.accepted(5);
  expect(all.input({ kind: "host-gave-up", id: 5 })).toEqual([
    { kind: "abort-body", fileId: 1 },
    { kind: "cancel-in-guest", fileId: 1 },
  ]);
  expect(all.input({ kind: "host-gave-up", id: 5 })).toEqual([]);
  expect(all.sends(5, 3)).toEqual([]);
  expect(all.statuses(5).map(({ result }) => result)).toEqual([0]);
});

describe("row 75: the bytes are not those that were announced", () => {
  test.each([
    ["more than the file has", (all: Transfers) => all.sends(1, 11)],
    ["more in the end", (all: Transfers) => [...all.sends(1, 9), ...all.sends(1, 2)]],
    ["after the end", (all: Transfers) => [...all.sends(1, 10), ...all.sends(1, 1)]],
    ["a message that claims more than it has", (all: Transfers) => all.sends(1, 5, 6n)],
    ["a message that claims less than it has", (all: Transfers) => all.sends(1, 5, 4n)],
    ["a message that claims all there is", (all: Transfers) => all.sends(1, 5, 2n ** 64n - 1n)],
  ])("%s", (_, send) => {
    const all = new Transfers();
    all.accepted(1);
    expect(send(all).filter(({ kind }) => kind !== "take-data")).toEqual([
      { kind: "abort-body", fileId: 1 },
      { kind: "cancel-in-guest", fileId: 1 },
      status(1, Status.ERROR, { gioError: 0 }),
    ]);
    expect(all.sends(1, 1)).toEqual([]);
  });

  test("before they may come", () => {
    const all = new Transfers();
    all.start(1);
    expect(all.sends(1, 5).at(-1)).toEqual(status(1, Status.ERROR, { gioError: 0 }));
    for (let id = 2; id <= MAX_OPEN_FILES + 2; id += 1) all.start(id);
    expect(all.sends(MAX_OPEN_FILES + 2, 5)).toEqual([status(MAX_OPEN_FILES + 2, Status.ERROR, { gioError: 0 })]);
  });

  test("an empty message of a file that is not empty is nothing", () => {
    const all = new Transfers();
    all.accepted(1);
    expect(all.sends(1, 0)).toEqual([{ kind: "take-data", fileId: 1, isLast: false }]);
    expect(all.sends(1, 10)).toEqual([{ kind: "take-data", fileId: 1, isLast: true }]);
  });

  test("a session that has saved what has not come is not believed", () => {
    const all = new Transfers();
    all.accepted(1);
    expect(all.answer(1, Status.SUCCESS).at(-1)).toEqual(status(1, Status.ERROR, { gioError: 0 }));
  });

  test("a start that nobody can read is answered", () => {
    expect(new Transfers().input({ kind: "host-garbled", id: 9 })).toEqual([status(9, Status.ERROR, { gioError: 0 })]);
  });
});

describe("row 77, 79: all are over at once, with one last word each to whoever is there", () => {
  function three(): Transfers {
    const all = new Transfers();
    all.accepted(1);
    for (let id = 2; id <= MAX_OPEN_FILES + 1; id += 1) all.start(id);
    return all;
  }

  test("the viewer leaves: the session lets go of what is open, nothing is said, and nothing is left for the next", () => {
    const all = three();
    const effects = all.input({ kind: "viewer-left" });
    expect(effects.filter(({ kind }) => kind === "cancel-in-guest").length).toBe(MAX_OPEN_FILES);
    expect(effects.some(({ kind }) => kind === "send-status")).toBe(false);
    expect([all.state.byHostId.size, all.state.open.size, all.state.queue.length]).toEqual([0, 0, 0]);
    all.input({ kind: "viewer-arrived", isDetailed: true });
    expect(all.accepted(1)).toBe(MAX_OPEN_FILES + 2);
    expect(all.answer(1, Status.ERROR)).toEqual([]);
  });

  test.each(["taker-left", "guest-cancelled-all"] as const)("%s", (kind) => {
    const all = three();
    all.input({ kind });
    for (let id = 1; id <= MAX_OPEN_FILES + 1; id += 1)
      expect(all.statuses(id).filter(({ result }) => result !== 0)).toEqual([{ id, result: Status.CANCELLED }]);
    expect(all.input({ kind })).toEqual([]);
  });
});

test.each([
  ["the session says nothing", { kind: "silent", fileId: 1 }, 24],
  ["the bytes cannot be passed on", { kind: "body-failed", fileId: 1 }, 0],
] as const)("%s: it has failed, and the next comes", (_, input, gioError) => {
  const all = new Transfers();
  for (let id = 1; id <= MAX_OPEN_FILES + 1; id += 1) all.start(id);
  expect(all.input(input)).toEqual([
    { kind: "abort-body", fileId: 1 },
    { kind: "cancel-in-guest", fileId: 1 },
    status(1, Status.ERROR, { gioError }),
    { kind: "start-in-guest", fileId: MAX_OPEN_FILES + 1, name: "a", size: 10n },
  ]);
  expect(all.input(input)).toEqual([]);
});

test("each file that is open is awaited, and no other", () => {
  const all = new Transfers();
  all.accepted(1);
  all.sends(1, 10);
  all.answer(1, Status.SUCCESS);
  const awaited = all.effects.flatMap((effect) => (effect.kind.startsWith("await") ? [effect.kind] : []));
  expect(awaited).toEqual(["await", "await", "await", "await-nothing"]);
});

test("failures are counted by reason", () => {
  const all = new Transfers();
  all.start(1);
  all.input({ kind: "guest-answered", fileId: 1, outcome: { result: 2, gioError: 10 } });
  all.input({ kind: "taker-left" });
  all.start(2);
  all.start(3);
  expect(Object.fromEntries(all.state.failures)).toEqual({ "name not allowed": 1, "no session": 2 });
});
