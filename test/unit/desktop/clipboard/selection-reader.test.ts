// Conversions that are called off, before an X server that is not there.
import { expect, test } from "vitest";
import { SelectionReader } from "../../../../src/desktop/clipboard/x11/selection-reader.ts";
import type { XConnection, XEvent } from "../../../../src/desktop/x11/x-connection.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";

test("the properties of conversions that were called off are used again, once nothing can come on them", async () => {
  const clock = new ManualClock();
  const names: string[] = [];
  const listeners = new Set<(event: XEvent) => void>();
  const usedProperties: number[] = [];
  const deleted: number[] = [];
  const x = {
    window: 1,
    atom: async (name: string) => (names.includes(name) ? names.indexOf(name) : names.push(name) - 1) + 1,
    onEvent: (listener: (event: XEvent) => void) => {
      listeners.add(listener);
      return { [Symbol.dispose]: () => listeners.delete(listener) };
    },
    client: {
      ConvertSelection: (...[, , , property]: [number, number, number, number]) => usedProperties.push(property),
      DeleteProperty: (_window: number, property: number) => deleted.push(property),
    },
  };
  const reader = await SelectionReader.create(x as unknown as XConnection, clock);
  for (let round = 0; round < 100; round += 1) {
    const off = new AbortController();
    const targets = reader.targets(50, off.signal);
    await new Promise((resolve) => setImmediate(resolve));
    off.abort();
    await expect(targets).rejects.toMatchObject({ code: "clipboard.lost" });
    clock.advance(6000);
  }
  // One for each of the sixty seconds' conversions.
  expect(new Set(usedProperties).size).toBe(10);
  expect(names.filter((name) => name.startsWith("TSVDAGENT_")).length).toBe(10);
  // When it is called off, and with what came late.
  expect(deleted.length).toBe(100 + 90);
  expect(listeners.size).toBe(0);
});
