// What the kernel is asked for, call by call. The numbers and images are those of linux/uinput.h on 64-bit machines.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type InputEvent, type PointerState, pointerStep, restingPointer } from "../../../../src/features/pointer.ts";
import { UinputPointer } from "../../../../src/system/pointer/uinput-pointer.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";
import { RecordingUinput, type UinputCall } from "../../../fakes/recording-uinput.ts";

const PATH = "/dev/uinput";
/** The first descriptor that the recording kernel gives out. */
const FD = 10;
const [UI_DEV_CREATE, UI_DEV_DESTROY, UI_GET_VERSION] = [0x5501, 0x5502, 0x8004552d];
const [UI_DEV_SETUP, UI_ABS_SETUP] = [0x405c5503, 0x401c5504];
const [UI_SET_EVBIT, UI_SET_KEYBIT, UI_SET_RELBIT, UI_SET_ABSBIT] = [0x40045564, 0x40045565, 0x40045566, 0x40045567];
const UI_SET_PROPBIT = 0x4004556e;

const x = (value: number): InputEvent => ({ type: 3, code: 0, value });
const y = (value: number): InputEvent => ({ type: 3, code: 1, value });
const key = (code: number, value: number): InputEvent => ({ type: 1, code, value });
const wheel = (value: number): InputEvent => ({ type: 2, code: 8, value });
const syn: InputEvent = { type: 0, code: 0, value: 0 };

let clock: ManualClock;
let kernel: RecordingUinput;
let lines: string[];
let pointer: UinputPointer;

beforeEach(async () => {
  clock = new ManualClock();
  kernel = new RecordingUinput();
  const recording = recordingLog();
  lines = recording.lines;
  pointer = new UinputPointer(PATH, recording.log, clock, kernel);
});

afterEach(async () => {
  await pointer[Symbol.asyncDispose]();
  expect(clock.waiting).toBe(0);
});

/** A device of this size that the desktop knows by now. */
async function settledDevice(widthPx = 1024, heightPx = 768): Promise<void> {
  await pointer.open();
  pointer.setRange(widthPx, heightPx);
  clock.advance(500);
  kernel.taken();
}

/** The calls of a device being made, as short as they can be said. */
function making(fd: number, maxX: string, maxY: string): UinputCall[] {
  return [
    ["ioctlInt", fd, UI_SET_EVBIT, 1],
    ["ioctlInt", fd, UI_SET_KEYBIT, 0x110],
    ["ioctlInt", fd, UI_SET_KEYBIT, 0x111],
    ["ioctlInt", fd, UI_SET_KEYBIT, 0x112],
    ["ioctlInt", fd, UI_SET_KEYBIT, 0x113],
    ["ioctlInt", fd, UI_SET_KEYBIT, 0x114],
    ["ioctlInt", fd, UI_SET_EVBIT, 2],
    ["ioctlInt", fd, UI_SET_RELBIT, 8],
    ["ioctlInt", fd, UI_SET_EVBIT, 3],
    ["ioctlInt", fd, UI_SET_ABSBIT, 0],
    ["ioctlInt", fd, UI_SET_ABSBIT, 1],
    ["ioctlBuffer", fd, UI_DEV_SETUP, deviceImage],
    ["ioctlBuffer", fd, UI_ABS_SETUP, `0000000000000000${"00000000"}${maxX}${"00000000".repeat(3)}`],
    ["ioctlBuffer", fd, UI_ABS_SETUP, `0100000000000000${"00000000"}${maxY}${"00000000".repeat(3)}`],
    ["ioctlInt", fd, UI_DEV_CREATE, 0],
  ];
}

/** Bus, vendor, product and version zero; "spice vdagent tablet" in 80 bytes; no force feedback. */
const deviceImage = `${"00".repeat(8)}73706963652076646167656e74207461626c6574${"00".repeat(60)}00000000`;

/** The events of the calls that write, one list for each. */
function written(calls: readonly UinputCall[] = kernel.taken()): InputEvent[][] {
  return calls.filter(([name]) => name === "write").map(([, , hex]) => decoded(Buffer.from(String(hex), "hex")));
}

function decoded(bytes: Buffer): InputEvent[] {
  return Array.from({ length: bytes.length / 24 }, (_, index) => ({
    type: bytes.readUInt16LE(index * 24 + 16),
    code: bytes.readUInt16LE(index * 24 + 18),
    value: bytes.readInt32LE(index * 24 + 20),
  }));
}

/** What opens a device at once has done so. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const errorOf = (code: string): Error => Object.assign(new Error(code), { code });

describe("the device", () => {
  test("row 17: has two axes as wide as the desktop, five buttons and a wheel, and upstream's name", async () => {
    await pointer.open();
    expect(kernel.taken()).toEqual([
      ["open", PATH],
      ["ioctlBuffer", FD, UI_GET_VERSION, "00000000"],
    ]);
    pointer.setRange(1024, 768);
    const calls = kernel.taken();
    expect(calls).toEqual(making(FD, "fe030000", "fe020000"));
    const images = calls.filter(([name]) => name === "ioctlBuffer").map(([, , , hex]) => String(hex).length / 2);
    expect(images).toEqual([92, 28, 28]);
    expect(lines).toEqual(["info: device made: 1024x768"]);
  });

  test("row 17: is no touch screen", async () => {
    await pointer.open();
    pointer.setRange(1024, 768);
    expect(kernel.taken().filter((call) => call[2] === UI_SET_PROPBIT)).toEqual([]);
  });

  test("row 23: is made anew on the same descriptor when the desktop's size changes, and only then", async () => {
    await settledDevice(1024, 768);
    pointer.setRange(1024, 768);
    expect(kernel.taken()).toEqual([]);
    pointer.setRange(3840, 2160);
    expect(kernel.taken()).toEqual([["ioctlInt", FD, UI_DEV_DESTROY, 0], ...making(FD, "fe0e0000", "6e080000")]);
  });

  test("comes as soon as it is open, if the size was known before", async () => {
    const opened = pointer.open();
    pointer.setRange(1024, 768);
    await opened;
    expect(kernel.taken().filter(([name]) => name === "open")).toHaveLength(1);
    expect(pointer.emit([x(1), syn])).toBe(true);
  });

  test.each([
    [0, 768],
    [1024, -1],
    [65_536, 768],
    [Number.NaN, 768],
    [10.5, 768],
  ])("stays as it was when the desktop is said to be %d x %d", async (widthPx, heightPx) => {
    await settledDevice();
    pointer.setRange(widthPx, heightPx);
    expect(kernel.taken()).toEqual([]);
    expect(lines.at(-1)).toBe(`warn: range left as it was: a desktop of ${widthPx}x${heightPx}`);
  });

  test("is destroyed in the end", async () => {
    await settledDevice();
    await pointer[Symbol.asyncDispose]();
    expect(kernel.taken()).toEqual([
      ["ioctlInt", FD, UI_DEV_DESTROY, 0],
      ["close", FD],
    ]);
    expect(pointer.emit([x(1), syn])).toBe(false);
    pointer.setRange(10, 10);
    await settled();
    expect(kernel.taken()).toEqual([]);
  });

  test("is not even made when it is the end while it is being opened", async () => {
    pointer.setRange(1024, 768);
    await pointer[Symbol.asyncDispose]();
    expect(kernel.taken().map(([name]) => name)).toEqual(["open", "ioctlBuffer", "close"]);
  });
});

describe("events", () => {
  test("go to the kernel as one write of 24 bytes each", async () => {
    await settledDevice();
    expect(pointer.emit([x(10), y(20), key(0x110, 1), syn])).toBe(true);
    const time = "00".repeat(16);
    expect(kernel.taken()).toEqual([
      ["write", FD, `${time}030000000a000000${time}0300010014000000${time}0100100101000000${time}0000000000000000`],
    ]);
  });

  test("rows 19, 20, 21: are the rules' own: what has changed, side and extra buttons, one turn for each press", async () => {
    await settledDevice();
    let state: PointerState = restingPointer;
    const moved = (buttons: number): InputEvent[][] => {
      const [next, events] = pointerStep(state, { kind: "host-moved", mouse: { x: 10, y: 20, buttons, displayId: 0 } });
      state = next;
      pointer.emit(events);
      return written();
    };
    expect(moved(0)).toEqual([[x(10), y(20), syn]]);
    expect(moved(0)).toEqual([[syn]]);
    expect(moved(0x40)).toEqual([[key(0x113, 1), syn]]);
    expect(moved(0x80)).toEqual([[key(0x113, 0), key(0x114, 1), syn]]);
    expect(moved(0x10)).toEqual([[key(0x114, 0), wheel(1), syn]]);
    expect(moved(0x10)).toEqual([[syn]]);
    expect(moved(0x20)).toEqual([[wheel(-1), syn]]);
  });

  test("are not taken before there is a size, and nothing is made for them", async () => {
    await pointer.open();
    kernel.taken();
    expect(pointer.emit([x(1), y(1), syn])).toBe(false);
    expect(kernel.taken()).toEqual([]);
  });

  test("that say once more where the pointer is get past the kernel, which keeps what it knows to itself", async () => {
    await settledDevice();
    pointer.emit([x(10), y(20), syn]);
    pointer.emit([x(10), y(20), syn]);
    pointer.emit([x(0), y(5), syn]);
    pointer.emit([x(0), y(6), syn]);
    expect(written()).toEqual([
      [x(10), y(20), syn],
      [x(9), x(10), y(19), y(20), syn],
      [x(0), y(5), syn],
      [x(1), x(0), y(6), syn],
    ]);
  });

  test("to the very corner are heard on a new device, which the kernel believes to be there", async () => {
    await settledDevice();
    pointer.emit([x(0), y(0), syn]);
    expect(written()).toEqual([[x(1), x(0), y(1), y(0), syn]]);
  });
});

describe("a new device, which the desktop has yet to find", () => {
  beforeEach(async () => {
    await pointer.open();
    pointer.setRange(1024, 768);
    kernel.taken();
  });

  test("tells the last position once more after 500 ms", () => {
    clock.advance(100);
    pointer.emit([x(10), y(20), syn]);
    clock.advance(300);
    pointer.emit([x(11), key(0x110, 1), syn]);
    expect(written()).toHaveLength(2);
    clock.advance(99);
    expect(kernel.taken()).toEqual([]);
    clock.advance(1);
    expect(written()).toEqual([[x(10), x(11), y(19), y(20), syn]]);
    clock.advance(10_000);
    expect(kernel.taken()).toEqual([]);
    expect(clock.waiting).toBe(0);
  });

  test("has nothing to tell once more when it has told nothing, and then no timer runs", () => {
    expect(clock.waiting).toBe(0);
    pointer.emit([key(0x110, 1), syn]);
    expect(clock.waiting).toBe(0);
    clock.advance(500);
    pointer.emit([x(10), y(20), syn]);
    expect(clock.waiting).toBe(0);
  });

  test("forgets a position of the size before", () => {
    pointer.emit([x(1000), y(700), syn]);
    pointer.setRange(640, 480);
    kernel.taken();
    expect(clock.waiting).toBe(0);
    clock.advance(1000);
    expect(kernel.taken()).toEqual([]);
    pointer.emit([x(5), syn]);
    expect(written()).toEqual([[x(5), syn]]);
  });
});

describe("a device that fails", () => {
  test("at a write is destroyed and made anew, and told the whole position and what it has missed", async () => {
    await settledDevice();
    pointer.emit([x(10), y(20), syn]);
    kernel.taken();
    let failures = 1;
    kernel.refuse = ([name]) => (name === "write" && failures-- > 0 ? errorOf("EINVAL") : undefined);
    expect(pointer.emit([x(11), key(0x110, 1), syn])).toBe(true);
    const calls = kernel.taken();
    expect(calls.slice(1, -1)).toEqual([["ioctlInt", FD, UI_DEV_DESTROY, 0], ...making(FD, "fe030000", "fe020000")]);
    expect(written(calls)).toEqual([
      [x(11), key(0x110, 1), syn],
      [x(11), y(20), key(0x110, 1), syn],
    ]);
    expect(lines).toContain("warn: device lost: EINVAL: EINVAL: making it anew");
    clock.advance(500);
    expect(written()).toEqual([[x(10), x(11), y(19), y(20), syn]]);
  });

  test("at the second write too is given up, closed, and opened again by an event after a second", async () => {
    await settledDevice();
    kernel.refuse = ([name]) => (name === "write" ? errorOf("EIO") : undefined);
    expect(pointer.emit([x(10), y(20), syn])).toBe(false);
    expect(kernel.taken().slice(-2)).toEqual([
      ["ioctlInt", FD, UI_DEV_DESTROY, 0],
      ["close", FD],
    ]);
    expect(lines.at(-1)).toBe("warn: pointer.unavailable: /dev/uinput: EIO: EIO");
    kernel.refuse = () => undefined;
    clock.advance(999);
    expect(pointer.emit([x(11), y(20), syn])).toBe(false);
    await settled();
    expect(kernel.taken()).toEqual([]);
    clock.advance(1);
    // Opening takes its time: this event is lost, the next is not.
    expect(pointer.emit([x(12), y(20), syn])).toBe(false);
    await settled();
    expect(kernel.taken()).toEqual([
      ["open", PATH],
      ["ioctlBuffer", FD + 1, UI_GET_VERSION, "00000000"],
      ...making(FD + 1, "fe030000", "fe020000"),
    ]);
    expect(pointer.emit([x(13), y(20), syn])).toBe(true);
    expect(written()).toEqual([[x(13), y(20), syn]]);
  });

  test("is tried again at once with the next size", async () => {
    await settledDevice();
    kernel.refuse = ([, , request]) => (request === UI_DEV_CREATE ? errorOf("ENOMEM") : undefined);
    pointer.setRange(640, 480);
    expect(kernel.taken().at(-1)).toEqual(["close", FD]);
    kernel.refuse = () => undefined;
    pointer.setRange(640, 480);
    await settled();
    expect(kernel.taken().slice(2)).toEqual(making(FD + 1, "7e020000", "de010000"));
    expect(pointer.emit([x(1), syn])).toBe(true);
  });

  test("while the desktop is told once more is made anew as well", async () => {
    await pointer.open();
    pointer.setRange(1024, 768);
    pointer.emit([x(10), y(20), syn]);
    kernel.taken();
    let failures = 1;
    kernel.refuse = ([name]) => (name === "write" && failures-- > 0 ? errorOf("EIO") : undefined);
    clock.advance(500);
    expect(written().at(-1)).toEqual([x(10), y(20), syn]);
    clock.advance(500);
    expect(written()).toEqual([[x(9), x(10), y(19), y(20), syn]]);
  });

  test("for many events in a row is asked for once a second, and spoken of a few times", async () => {
    await settledDevice();
    kernel.refuse = ([name]) => (name === "write" || name === "open" ? errorOf("EIO") : undefined);
    for (let count = 0; count < 1000; count += 1) {
      pointer.emit([x(count), syn]);
      await settled();
      clock.advance(10);
    }
    expect(kernel.taken().filter(([name]) => name === "open").length).toBeLessThanOrEqual(10);
    expect(lines.length).toBeLessThan(10);
  });
});

describe("opening", () => {
  test.each([
    ["ENOENT", "/dev/uinput: not there: the kernel module uinput is not loaded"],
    ["ENODEV", "/dev/uinput: not there: the kernel module uinput is not loaded"],
    ["EACCES", "/dev/uinput: this user may not write to it"],
    ["EPERM", "/dev/uinput: this user may not write to it"],
    ["EMFILE", "/dev/uinput: EMFILE: EMFILE"],
  ])("row 26: %s is told to the program, which then promises no pointer", async (code, message) => {
    kernel.refuse = () => errorOf(code);
    await expect(pointer.open()).rejects.toMatchObject({
      name: "BackendError",
      code: "pointer.unavailable",
      message,
      cause: { code },
    });
    expect(lines).toEqual([]);
  });

  test("twice opens once", async () => {
    await Promise.all([pointer.open(), pointer.open()]);
    await pointer.open();
    expect(kernel.taken().filter(([name]) => name === "open")).toHaveLength(1);
  });

  test("what is no uinput device is closed and told to the program", async () => {
    kernel.refuse = ([name]) => (name === "ioctlBuffer" ? errorOf("native.failed") : undefined);
    await expect(pointer.open()).rejects.toMatchObject({ code: "pointer.unavailable" });
    expect(kernel.taken().at(-1)).toEqual(["close", FD]);
  });

  test("row 26: on the machine itself, a device that is not there and one that is something else", async () => {
    const { log } = recordingLog();
    await expect(new UinputPointer("/nowhere/uinput", log).open()).rejects.toMatchObject({
      code: "pointer.unavailable",
      message: "/nowhere/uinput: not there: the kernel module uinput is not loaded",
    });
    await expect(new UinputPointer("/dev/null", log).open()).rejects.toMatchObject({
      code: "pointer.unavailable",
      message: "/dev/null: no uinput device: ioctl: ENOTTY",
    });
  });
});
