// Conversions that come to nothing, before an X server that is not there.
import { expect, test } from "vitest";
import { SelectionReader } from "../../../../src/desktop/clipboard/x11/selection-reader.ts";
import type { XConnection, XEvent } from "../../../../src/desktop/x11/x-connection.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";

class NoServer {
  readonly names: string[] = [];
  readonly listeners = new Set<(event: XEvent) => void>();
  readonly usedProperties: number[] = [];
  readonly deleted: number[] = [];

  get connection(): XConnection {
    const x = {
      window: 1,
      atom: async (name: string) =>
        (this.names.includes(name) ? this.names.indexOf(name) : this.names.push(name) - 1) + 1,
      onEvent: (listener: (event: XEvent) => void) => {
        this.listeners.add(listener);
        return { [Symbol.dispose]: () => this.listeners.delete(listener) };
      },
      client: {
        ConvertSelection: (...[, , , property]: [number, number, number, number]) => this.usedProperties.push(property),
        DeleteProperty: (_window: number, property: number) => this.deleted.push(property),
      },
    };
    return x as unknown as XConnection;
  }

  tell(event: XEvent): void {
    for (const listener of this.listeners) listener(event);
  }
}

test("an owner whose program ends before it has answered is not waited for; another selection's owner is", async () => {
  const clock = new ManualClock();
  const server = new NoServer();
  const reader = await SelectionReader.create(server.connection, clock);
  const targets = reader.targets(50, new AbortController().signal);
  let isOver = false;
  targets.catch(() => {}).finally(() => (isOver = true));
  server.tell({ kind: "selection-owner", selection: 51, owner: 0, ended: true, selectionTime: 1 });
  // It gives up what it has, and may yet answer who has asked before.
  server.tell({ kind: "selection-owner", selection: 50, owner: 0, ended: false, selectionTime: 1 });
  await new Promise((resolve) => setImmediate(resolve));
  expect(isOver).toBe(false);
  server.tell({ kind: "selection-owner", selection: 50, owner: 0, ended: true, selectionTime: 1 });
  await expect(targets).rejects.toMatchObject({ code: "clipboard.no-answer" });
});

test("the properties of conversions that were called off are used again, once nothing can come on them", async () => {
  const clock = new ManualClock();
  const server = new NoServer();
  const reader = await SelectionReader.create(server.connection, clock);
  for (let round = 0; round < 100; round += 1) {
    const off = new AbortController();
    const targets = reader.targets(50, off.signal);
    await new Promise((resolve) => setImmediate(resolve));
    off.abort();
    await expect(targets).rejects.toMatchObject({ code: "clipboard.lost" });
    clock.advance(6000);
  }
  // One for each of the sixty seconds' conversions.
  expect(new Set(server.usedProperties).size).toBe(10);
  expect(server.names.filter((name) => name.startsWith("TSVDAGENT_")).length).toBe(10);
  // When it is called off, and with what came late.
  expect(server.deleted.length).toBe(100 + 90);
  expect(server.listeners.size).toBe(0);
});
