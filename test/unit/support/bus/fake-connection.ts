// A bus whose other end is the test.
import type { BusCall, BusConnectionHandlers, ConnectToBus } from "../../../../src/support/bus/bus-connection.ts";
import type { BusValue } from "../../../../src/support/bus/bus-values.ts";
import { BackendError } from "../../../../src/support/errors.ts";

export class FakeConnection {
  readonly calls: BusCall[] = [];
  readonly handlers: BusConnectionHandlers;
  isClosed = false;

  constructor(handlers: BusConnectionHandlers) {
    this.handlers = handlers;
  }

  /** Member and first argument of each call. */
  get asked(): readonly string[] {
    return this.calls.map(({ member, body }) => [member, ...(body ?? [])].join(" "));
  }

  /** Answers the last call with this member. */
  answer(member: string, ...body: readonly BusValue[]): void {
    this.handlers.reply(this.#serial(member), { kind: "return", body });
  }

  refuse(member: string, errorName: string): void {
    this.handlers.reply(this.#serial(member), { kind: "error", errorName, text: "because" });
  }

  signal(sender: string, member: string, ...body: readonly BusValue[]): void {
    const isOfBus = sender === "org.freedesktop.DBus";
    this.handlers.signal({
      sender,
      path: isOfBus ? "/org/freedesktop/DBus" : "/thing",
      interface: isOfBus ? "org.freedesktop.DBus" : "org.thing",
      member,
      body,
    });
  }

  /** The bus goes away. */
  close(): void {
    this.isClosed = true;
    this.handlers.closed();
  }

  #serial(member: string): number {
    return this.calls.findLastIndex((call) => call.member === member) + 1;
  }
}

export interface FakeBus {
  readonly connect: ConnectToBus;
  /** All there have been. */
  readonly connections: readonly FakeConnection[];
  /** When it was tried, by the clock given. */
  readonly triesMs: readonly number[];
  /** "gone": nobody listens. "silent": somebody does, and says nothing. */
  state: "there" | "gone" | "silent";
}

export function fakeBus(nowMs: () => number): FakeBus {
  const connections: FakeConnection[] = [];
  const triesMs: number[] = [];
  const bus: FakeBus = {
    connections,
    triesMs,
    state: "there",
    connect: async (address, handlers, signal) => {
      triesMs.push(nowMs());
      if (bus.state === "gone") throw new BackendError("bus.unreachable", `${address}: nobody`);
      if (bus.state === "silent") {
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      }
      const connection = new FakeConnection(handlers);
      connections.push(connection);
      return {
        send: (call) => {
          if (connection.isClosed) throw new BackendError("bus.lost", "closed");
          return connection.calls.push(call);
        },
        [Symbol.dispose]: () => {
          connection.isClosed = true;
        },
      };
    },
  };
  return bus;
}

/** All that is on its way in promises and microtasks has arrived; no timer is waited for. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
