// The message bus over dbus-next and a real dbus-daemon: values there and back, strangers, and buses that are none.
import { createServer } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type BusArgument, type BusValue, BusVariant } from "../../src/support/bus/bus-values.ts";
import { MessageBus } from "../../src/support/bus/message-bus.ts";
import { systemClock } from "../../src/support/clock.ts";
import { type RecordingLog, recordingLog } from "../fakes/recording-log.ts";
import { FakeLogind } from "./peers/fake-logind.ts";
import { TestBus } from "./peers/message-bus.ts";
import { makeTempDir } from "./peers/temp-dir.ts";
import { until } from "./peers/until.ts";

const theBus = {
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
};

let daemon: TestBus;
let peer: FakeLogind;
let bus: MessageBus;
let record: RecordingLog;

beforeAll(async () => {
  daemon = await TestBus.start();
  peer = await FakeLogind.startStranger(daemon.address);
});

afterAll(async () => {
  await peer?.[Symbol.asyncDispose]();
  await daemon?.[Symbol.asyncDispose]();
});

beforeEach(() => {
  record = recordingLog();
  bus = connectionTo(daemon.address);
  return () => bus[Symbol.asyncDispose]();
});

function connectionTo(address: string): MessageBus {
  return new MessageBus({ address, clock: systemClock, log: record.log });
}

const names = async (): Promise<readonly string[]> => {
  const [all] = await bus.call({ ...theBus, member: "ListNames" });
  return (all as readonly string[]).filter((name) => name.startsWith(":"));
};

const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    (value) => `no error but ${value}`,
    (error: unknown) => (error as { readonly code?: unknown }).code,
  );

describe("values", () => {
  const echo = async (variant: BusVariant): Promise<BusValue | undefined> => {
    const object = { destination: peer.name, path: "/org/freedesktop/login1", interface: "org.tsvdagent.Test" };
    const [value] = await bus.call({ ...object, member: "Echo", signature: "v", body: [variant] });
    return value;
  };

  test.each<[string, BusArgument]>([
    ["b", true],
    ["y", 255],
    ["n", -32768],
    ["q", 65535],
    ["i", -(2 ** 31)],
    ["u", 2 ** 32 - 1],
    ["x", -(2n ** 62n)],
    ["t", 2n ** 64n - 1n],
    ["d", -0.5],
    ["s", "ä€😀"],
    ["o", "/a/_31"],
    ["g", "a{sv}"],
    ["as", []],
    ["as", ["", "b"]],
    ["(su(bt))", ["a", 1, [false, 2n]]],
    ["a(so)", [["a", "/"]]],
    ["a{su}", { a: 1, b: 2 }],
    ["a{su}", {}],
  ])("%s comes back as it went (%#)", async (signature, value) => {
    expect(await echo(new BusVariant(signature, value))).toEqual(value);
  });

  test("bytes", async () => {
    const value = await echo(new BusVariant("ay", Uint8Array.of(0, 1, 255)));
    expect(value).toBeInstanceOf(Uint8Array);
    expect([...(value as Uint8Array)]).toEqual([0, 1, 255]);
  });

  test("variants in variants are what is in them", async () => {
    const hints = { urgency: new BusVariant("y", 1), deep: new BusVariant("v", new BusVariant("as", ["a"])) };
    const value = await echo(new BusVariant("(ia{sv})", [7, hints]));
    expect(value).toEqual([7, { urgency: 1, deep: ["a"] }]);
  });

  test("a key that would be the prototype is a key", async () => {
    const value = await echo(new BusVariant("a{ss}", JSON.parse('{"__proto__": "a", "b": "c"}')));
    expect(Object.getPrototypeOf(value)).toBe(null);
  });

  test("arguments unlike the signature reject the call, and only that", async () => {
    await expect(bus.call({ ...theBus, member: "GetNameOwner", signature: "s", body: [7] })).rejects.toThrow(TypeError);
    await expect(bus.call({ ...theBus, member: "GetNameOwner", signature: "s" })).rejects.toThrow(TypeError);
    expect((await names()).length).toBeGreaterThan(1);
  });

  test("a megabyte", async () => {
    const text = "x".repeat(1024 * 1024);
    expect(await echo(new BusVariant("s", text))).toBe(text);
  });
});

describe("errors", () => {
  test("carry the name the bus gives them", async () => {
    const unknown = bus.call({ ...theBus, member: "GetNameOwner", signature: "s", body: ["org.not.there"] });
    await expect(unknown).rejects.toMatchObject({
      code: "bus.refused",
      dbusName: "org.freedesktop.DBus.Error.NameHasNoOwner",
    });
  });

  test("a service that is not there", async () => {
    const call = bus.property({ ...theBus, destination: "org.not.there" }, "Features");
    await expect(call).rejects.toMatchObject({ dbusName: "org.freedesktop.DBus.Error.ServiceUnknown" });
  });

  test("a bus that stands still: the call ends in its time, and the bus is used again when it goes on", async () => {
    await names();
    daemon.signal("SIGSTOP");
    try {
      expect(await codeOf(bus.call({ ...theBus, member: "GetId" }, { timeoutMs: 200 }))).toBe("bus.timeout");
    } finally {
      daemon.signal("SIGCONT");
    }
    expect((await names()).length).toBeGreaterThan(1);
  });
});

describe("buses that are none", () => {
  const nowhere: readonly [string, string][] = [
    ["nobody listens", "unix:path=/nonexistent/bus"],
    ["a path longer than a socket's", `unix:path=/${"x".repeat(300)}`],
    ["a file", "unix:path=/dev/null"],
    ["no address", "nonsense"],
  ];

  test.each(nowhere)("%s", async (_, address) => {
    await using none = connectionTo(address);
    expect(await codeOf(none.call({ ...theBus, member: "GetId" }))).toBe("bus.unreachable");
    const watching = none.watchName("org.any", () => {});
    await until("a second try", () => record.lines.length > 1, 20_000);
    watching[Symbol.dispose]();
  });

  test.each<[string, string | undefined, string]>([
    ["hangs up", "", "bus.unreachable"],
    ["refuses us", "REJECTED EXTERNAL\r\n", "bus.unreachable"],
    ["lets us in, and hangs up", "OK 0123456789abcdef0123456789abcdef\r\n", "bus.unreachable"],
    ["says nothing", undefined, "bus.timeout"],
  ])("something that %s", async (_, answer, code) => {
    using dir = makeTempDir("no-bus");
    const server = createServer((socket) => {
      socket.on("error", () => {}).resume();
      if (answer === "") socket.end();
      else if (answer !== undefined) socket.once("data", () => socket.end(answer));
    });
    await new Promise<void>((resolve) => server.listen(dir.join("socket"), resolve));
    try {
      await using none = connectionTo(`unix:path=${dir.join("socket")}`);
      const call = none.call({ ...theBus, member: "GetId" }, { timeoutMs: 1000 });
      expect(await codeOf(call)).toBe(code);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

describe("strangers", () => {
  test("a message that the library cannot read ends nothing", async () => {
    const heard: unknown[] = [];
    const rule = { path: "/any", interface: "org.any", member: "Any" };
    bus.subscribe({ ...rule, sender: peer.name }, ({ body }) => heard.push(body[0]));
    for (const destination of (await names()).filter((name) => name !== peer.name)) {
      for (let times = 0; times < 3; times += 1) {
        // The number of a descriptor that does not come with it.
        await peer.signal({ ...rule, destination, body: "(handle 0,)" });
        await peer.signal({ ...rule, destination, body: `(uint32 ${times},)` });
      }
    }
    await until("what came behind it", () => heard.length === 3, 2000);
    expect(heard).toEqual([0, 1, 2]);
    expect((await names()).length).toBeGreaterThan(1);
  });

  test("who calls us is told that there is nothing to call", async () => {
    const before = await names();
    const [us] = before.filter((name) => name !== peer.name);
    if (us === undefined) throw new Error("we have no name");
    for (const iface of ["Introspectable", "Properties", "Peer"]) {
      const refusal = await peer.call(us, "/", `org.freedesktop.DBus.${iface}`, "Introspect");
      expect(refusal).toBe("org.freedesktop.DBus.Error.UnknownMethod");
    }
    expect(await names()).toEqual(before);
  });

  test("when we go, the bus knows", async () => {
    const other = connectionTo(daemon.address);
    await other.call({ ...theBus, member: "GetId" });
    const before = (await names()).length;
    await other[Symbol.asyncDispose]();
    await until("our name to go", async () => (await names()).length === before - 1, 2000);
  });
});
