// Single values of the X resources, which programs read at their start (`xrdb -query`).

import type { XConnection } from "./x-connection.ts";
import { setProperty, takeProperty } from "./x-property.ts";

/** Predefined atoms. */
const RESOURCE_MANAGER = 23;
const STRING = 31;

/** Sets one resource and leaves all others as they are. Throws a BackendError `display.*`. */
export async function setResource(x: XConnection, name: string, value: string): Promise<void> {
  const { data, bytesAfter } = await takeProperty(x, x.root, RESOURCE_MANAGER, "keep");
  const before = data.toString("latin1");
  const after = withResource(before, name, value);
  // Nobody has that many; half of them would be worse than none.
  if (after === before || bytesAfter > 0 || after.length > x.maxPropertyBytes) return;
  await setProperty(x, x.root, RESOURCE_MANAGER, STRING, 8, Buffer.from(after, "latin1"));
}

export function withResource(text: string, name: string, value: string): string {
  const lines = text.split("\n").filter((line) => line !== "" && line.split(":", 1)[0]?.trim() !== name);
  return `${[...lines, `${name}:\t${value}`].join("\n")}\n`;
}
