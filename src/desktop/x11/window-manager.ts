// Which window manager runs (Extended Window Manager Hints, _NET_SUPPORTING_WM_CHECK).
import type { XConnection } from "./x-connection.ts";
import { longsOf, takeProperty } from "./x-property.ts";

/** Its name; undefined: none that has one. Throws a BackendError `display.lost`. */
export async function windowManagerName(x: XConnection): Promise<string | undefined> {
  const check = await takeProperty(x, x.root, await x.atom("_NET_SUPPORTING_WM_CHECK"), "keep");
  const [window = 0] = longsOf(check.data);
  if (window === 0) return undefined;
  const name = await takeProperty(x, window, await x.atom("_NET_WM_NAME"), "keep");
  return name.data.toString("utf8") || undefined;
}
