// Calls that always end, rules that come back, and when the bus is tried: with a bus that is the test and time that stands still.
import { afterEach, describe, expect, test } from "vitest";
import { MessageBus } from "../../../../src/support/bus/message-bus.ts";
import { BusRefusal } from "../../../../src/support/bus/pending-call.ts";
import { BackendError } from "../../../../src/support/errors.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";
import { type FakeBus, type FakeConnection, fakeBus, settled } from "./fake-connection.ts";

const opened: { readonly bus: MessageBus; readonly clock: ManualClock }[] = [];

afterEach(async () => {
  for (const { bus, clock } of opened.splice(0)) {
    await bus[Symbol.asyncDispose]();
    expect(clock.waiting, "timers left behind").toBe(0);
  }
});

interface Bench {
  readonly bus: MessageBus;
  readonly fake: FakeBus;
  readonly clock: ManualClock;
  readonly lines: readonly string[];
  /** The present connection. */
  readonly connection: FakeConnection;
  /** Moves time on in small steps. */
  pass(ms: number): Promise<void>;
}

function bench(): Bench {
  const clock = new ManualClock();
  const { log, lines } = recordingLog();
  const fake = fakeBus(() => clock.nowMs());
  const bus = new MessageBus({ address: "unix:path=/b", clock, log, connect: fake.connect });
  opened.push({ bus, clock });
  return {
    bus,
    fake,
    clock,
    lines,
    get connection() {
      const connection = fake.connections.at(-1);
      if (connection === undefined) throw new Error("there is no connection");
      return connection;
    },
    async pass(ms) {
      await settled();
      for (let passed = 0; passed < ms; passed += 50) {
        clock.advance(50);
        await settled();
      }
    },
  };
}

const ping = { destination: "org.thing", path: "/thing", interface: "org.thing", member: "Ping" };
const rule = { sender: "org.thing", interface: "org.thing", member: "Changed" };

/** A reason to be connected. */
const want = ({ bus }: Bench): Disposable => bus.subscribe({ ...rule, sender: ":1.9" }, () => {});

/** The code of a call's error; undefined if there is none. */
const codeOf = (call: Promise<unknown>): Promise<string | undefined> =>
  call.then(
    () => undefined,
    (error: unknown) => (error instanceof BackendError ? error.code : `not ours: ${String(error)}`),
  );

describe("a call", () => {
  test("connects, and resolves with the arguments of its answer", async () => {
    const b = bench();
    const answer = b.bus.call({ ...ping, signature: "su", body: ["a", 1] });
    await settled();
    expect(b.connection.calls).toEqual([{ ...ping, signature: "su", body: ["a", 1] }]);
    b.connection.answer("Ping", "b", 2n);
    expect(await answer).toEqual(["b", 2n]);
    expect(b.clock.waiting).toBe(0);
  });

  test("an error names itself", async () => {
    const b = bench();
    const answer = b.bus.call(ping);
    await settled();
    b.connection.refuse("Ping", "org.thing.Error.No");
    const error = await answer.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(BusRefusal);
    expect(error).toMatchObject({
      code: "bus.refused",
      dbusName: "org.thing.Error.No",
      message: "Ping: org.thing.Error.No: because",
    });
  });

  test("without an answer it fails after 5 s, or after the time it was given; the late answer is no matter", async () => {
    const b = bench();
    const [slow, quick] = [codeOf(b.bus.call(ping)), codeOf(b.bus.call(ping, { timeoutMs: 1000 }))];
    await settled();
    b.clock.advance(1000);
    expect(await quick).toBe("bus.timeout");
    b.clock.advance(3999);
    expect(b.clock.waiting).toBe(1);
    b.clock.advance(1);
    expect(await slow).toBe("bus.timeout");
    b.connection.answer("Ping");
    expect(b.fake.connections).toHaveLength(1);
    const next = b.bus.call(ping);
    b.connection.answer("Ping", "still there");
    expect(await next).toEqual(["still there"]);
  });

  test("can be called off, before and after it is sent", async () => {
    const b = bench();
    const off = new AbortController();
    const call = b.bus.call(ping, { signal: off.signal });
    await settled();
    off.abort(new Error("enough"));
    await expect(call).rejects.toThrow("enough");
    await expect(b.bus.call(ping, { signal: off.signal })).rejects.toThrow("enough");
    expect([b.connection.calls.length, b.clock.waiting]).toEqual([1, 0]);
  });

  test("all fail when the bus goes", async () => {
    const b = bench();
    const calls = [codeOf(b.bus.call(ping)), codeOf(b.bus.call(ping))];
    await settled();
    b.connection.close();
    expect(await Promise.all(calls)).toEqual(["bus.lost", "bus.lost"]);
    expect(b.clock.waiting).toBe(0);
  });

  test("a bus that is not there: it fails at once, and nobody tries again for nobody", async () => {
    const b = bench();
    b.fake.state = "gone";
    expect(await codeOf(b.bus.call(ping))).toBe("bus.unreachable");
    await b.pass(5000);
    expect(b.fake.triesMs).toEqual([0]);
    b.fake.state = "there";
    const answer = b.bus.call(ping);
    await settled();
    b.connection.answer("Ping");
    await answer;
  });

  test("a bus that lets in and says nothing: it fails in 5 s", async () => {
    const b = bench();
    b.fake.state = "silent";
    const code = codeOf(b.bus.call(ping));
    await b.pass(5000);
    expect(await code).toBe("bus.timeout");
  });

  test("wrong arguments are an error of the call, not of the bus", async () => {
    const b = bench();
    const first = b.bus.call(ping);
    await settled();
    b.connection.answer("Ping");
    await first;
    b.connection.calls.push = () => {
      throw new TypeError("wrong");
    };
    await expect(b.bus.call(ping)).rejects.toThrow(TypeError);
    expect(b.clock.waiting).toBe(0);
  });

  test("pending when we stop, and after: it fails", async () => {
    const b = bench();
    const code = codeOf(b.bus.call(ping));
    await settled();
    await b.bus[Symbol.asyncDispose]();
    expect([await code, await codeOf(b.bus.call(ping))]).toEqual(["bus.lost", "bus.lost"]);
    expect(b.connection.isClosed).toBe(true);
  });
});

describe("properties", () => {
  const object = { destination: "org.thing", path: "/thing", interface: "org.thing" };

  test("one", async () => {
    const b = bench();
    const value = b.bus.property(object, "Size");
    await settled();
    expect(b.connection.asked).toEqual(["Get org.thing Size"]);
    b.connection.answer("Get", 7n);
    expect(await value).toBe(7n);
  });

  test("all", async () => {
    const b = bench();
    const values = b.bus.properties(object);
    await settled();
    b.connection.answer("GetAll", { Size: 7 });
    expect(await values).toEqual({ Size: 7 });
  });

  test("an answer that is none is an error of ours", async () => {
    const b = bench();
    const [one, all] = [codeOf(b.bus.property(object, "Size")), codeOf(b.bus.properties(object))];
    await settled();
    b.connection.answer("Get");
    b.connection.answer("GetAll", ["no", "dictionary"]);
    expect(await Promise.all([one, all])).toEqual(["bus.bad-answer", "bus.bad-answer"]);
  });
});

describe("signals", () => {
  const subscribed = async () => {
    const b = bench();
    const heard: unknown[] = [];
    const subscription = b.bus.subscribe(rule, ({ body }) => heard.push(body[0]));
    await settled();
    b.connection.answer("GetNameOwner", ":1.5");
    return { b, heard, subscription };
  };

  test("the owner is asked for before the rule is in force; the rules end with the subscription", async () => {
    const { b, subscription } = await subscribed();
    const ownerRule =
      "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',member='NameOwnerChanged'," +
      "path='/org/freedesktop/DBus',arg0='org.thing'";
    const ruleOfOurs = "type='signal',sender='org.thing',interface='org.thing',member='Changed'";
    expect(b.connection.asked).toEqual([`AddMatch ${ownerRule}`, "GetNameOwner org.thing", `AddMatch ${ruleOfOurs}`]);
    subscription[Symbol.dispose]();
    subscription[Symbol.dispose]();
    expect(b.connection.asked.slice(3)).toEqual([`RemoveMatch ${ruleOfOurs}`, `RemoveMatch ${ownerRule}`]);
  });

  test("are believed from the owner of the name only, whoever that is at the time", async () => {
    const { b, heard } = await subscribed();
    b.connection.signal(":1.5", "Changed", 1);
    b.connection.signal(":1.6", "Changed", "forged");
    b.connection.signal(":1.6", "NameOwnerChanged", "org.thing", ":1.5", ":1.6");
    b.connection.signal(":1.6", "Changed", "forged");
    b.connection.signal("org.freedesktop.DBus", "NameOwnerChanged", "org.thing", ":1.5", ":1.7");
    b.connection.signal(":1.5", "Changed", "too late");
    b.connection.signal(":1.7", "Changed", 2);
    b.connection.signal(":1.7", "Other", "not wanted");
    expect(heard).toEqual([1, 2]);
  });

  test("a name without an owner is no fault", async () => {
    const b = bench();
    b.bus.subscribe(rule, () => {});
    await settled();
    b.connection.refuse("GetNameOwner", "org.freedesktop.DBus.Error.NameHasNoOwner");
    expect(b.lines).toEqual(["debug: bus: connected"]);
  });

  test("a rule that the bus refuses is said so", async () => {
    const { b } = await subscribed();
    b.connection.refuse("AddMatch", "org.freedesktop.DBus.Error.LimitsExceeded");
    expect(b.lines.at(-1)).toBe("warn: bus: bus.refused: AddMatch: org.freedesktop.DBus.Error.LimitsExceeded: because");
  });

  test("nonsense in a signal, found by its listener, is logged and disturbs nobody else", async () => {
    const { b, heard } = await subscribed();
    b.bus.subscribe(rule, () => {
      throw new BackendError("bus.bad-answer", "Size is not a count but text");
    });
    b.connection.signal(":1.5", "Changed", 1);
    expect(heard).toEqual([1]);
    expect(b.lines.at(-1)).toBe("warn: bus: bus.bad-answer: Size is not a count but text");
  });

  test("a bus that does not answer us itself is left, and tried again", async () => {
    const b = bench();
    b.bus.subscribe(rule, () => {});
    await b.pass(5200);
    expect(b.lines).toContain(
      "warn: bus: bus.timeout: org.freedesktop.DBus AddMatch: no answer after 5000 ms: trying again",
    );
    expect(b.fake.connections.map(({ isClosed }) => isClosed)).toEqual([true, false]);
  });
});

describe("a name", () => {
  test("its owners, one after the other, and nobody without a bus", async () => {
    const b = bench();
    const owners: (string | undefined)[] = [];
    const watching = b.bus.watchName("org.thing", (owner) => owners.push(owner));
    await settled();
    b.connection.answer("GetNameOwner", ":1.5");
    b.connection.signal("org.freedesktop.DBus", "NameOwnerChanged", "org.thing", ":1.5", "");
    b.connection.signal("org.freedesktop.DBus", "NameOwnerChanged", "org.thing", "", ":1.6");
    expect(owners).toEqual([":1.5", undefined, ":1.6"]);
    const late: (string | undefined)[] = [];
    b.bus.watchName("org.thing", (owner) => late.push(owner));
    await settled();
    expect(late).toEqual([":1.6"]);
    b.connection.close();
    await settled();
    expect(owners.at(-1)).toBe(undefined);
    watching[Symbol.dispose]();
    await b.pass(100);
    b.connection.answer("GetNameOwner", ":1.2");
    expect([owners.length, late]).toEqual([4, [":1.6", undefined, ":1.2"]]);
  });
});

describe("the bus goes and comes back", () => {
  test("everything is in force again", async () => {
    const b = bench();
    const heard: unknown[] = [];
    b.bus.subscribe(rule, ({ body }) => heard.push(body[0]));
    await settled();
    b.connection.answer("GetNameOwner", ":1.5");
    b.fake.state = "gone";
    b.connection.close();
    await settled();
    expect(await codeOf(b.bus.call(ping))).toBe("bus.lost");
    await b.pass(250);
    expect(await codeOf(b.bus.call(ping))).toBe("bus.unreachable");
    b.fake.state = "there";
    await b.pass(2000);
    expect(b.connection.asked.map((text) => text.split(" ")[0])).toEqual(["AddMatch", "GetNameOwner", "AddMatch"]);
    b.connection.signal(":1.5", "Changed", "of an owner of then");
    b.connection.answer("GetNameOwner", ":1.2");
    b.connection.signal(":1.2", "Changed", 3);
    expect(heard).toEqual([3]);
  });

  test("tried with pauses that double up to 2 s, and after a long life with short ones again", async () => {
    const b = bench();
    b.fake.state = "gone";
    want(b);
    await b.pass(10_000);
    expect(b.fake.triesMs).toEqual([0, 100, 300, 700, 1500, 3100, 5100, 7100, 9100]);
    expect(b.lines).toContain("warn: bus: bus.unreachable: unix:path=/b: nobody: trying again");
    b.fake.state = "there";
    await b.pass(2000);
    b.connection.answer("AddMatch");
    await b.pass(8000);
    b.fake.state = "gone";
    b.connection.close();
    await b.pass(300);
    expect(b.fake.triesMs.slice(-2)).toEqual([20_100, 20_300]);
  });

  test("one that lets in and throws out is not tried ten times a second", async () => {
    const b = bench();
    want(b);
    for (let passed = 0; passed < 10_000; passed += 50) {
      await b.pass(50);
      if (b.fake.connections.length > 0) b.connection.close();
    }
    expect(b.fake.triesMs.length).toBeLessThan(10);
  });

  test("tried no longer when nobody wants it", async () => {
    const b = bench();
    b.fake.state = "gone";
    const watching = want(b);
    await b.pass(1000);
    watching[Symbol.dispose]();
    await b.pass(10_000);
    expect(b.fake.triesMs).toEqual([0, 100, 300, 700]);
    want(b);
    await settled();
    expect(b.fake.triesMs.length).toBe(5);
  });

  test("stopping while it is tried calls that off", async () => {
    const b = bench();
    b.fake.state = "silent";
    want(b);
    await settled();
    await b.bus[Symbol.asyncDispose]();
    expect(b.lines).toEqual([]);
  });
});
