/** An application in the guest that copies and pastes: xclip. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { monotonicMs, PeerTimeout, until } from "./until.ts";
import { runOn, startOn } from "./x-programs.ts";

export type XSelection = "clipboard" | "primary";

/** An X target; the default of the functions below is UTF8_STRING. */
const TEXT = "UTF8_STRING";

export interface XClipboardOwner extends AsyncDisposable {
  readonly pid: number;
  /** `monotonicMs()` just after xclip said that it owns the selection. */
  readonly ownedMs: number;
  /** Whether it still owns the selection: xclip ends when another program takes it. */
  readonly owns: boolean;
  /** Resolves when another program took the selection. Fails after `timeoutMs` (5 s). */
  lost(timeoutMs?: number): Promise<void>;
}

export interface XCopyOptions {
  readonly selection?: XSelection;
  readonly target?: string;
}

/** Copies a file's content: an xclip owns the selection until it is disposed of or another program takes it. */
export async function copyFile(display: string, file: string, options: XCopyOptions = {}): Promise<XClipboardOwner> {
  const { selection = "clipboard", target = TEXT } = options;
  // -quiet keeps it in the foreground, where its pid is known, and makes it say when it serves.
  const args = ["-quiet", "-selection", selection, "-t", target, "-i", file];
  const xclip = await startOn(display, "xclip", args, { stdout: "ignore" });
  try {
    await until(
      `xclip to own ${selection}`,
      () => {
        if (xclip.exit !== undefined) throw new Error(`xclip ended: ${xclip.errors}`);
        return xclip.errors.includes("Waiting for selection request");
      },
      10_000,
      2,
    );
  } catch (error) {
    await xclip.kill();
    throw error;
  }
  return {
    pid: xclip.pid,
    ownedMs: monotonicMs(),
    get owns() {
      return xclip.exit === undefined;
    },
    lost: (timeoutMs = 20_000) =>
      until(`another program to take ${selection}`, () => xclip.exit !== undefined, timeoutMs).then(() => {}),
    [Symbol.asyncDispose]: () => xclip.kill(),
  };
}

export interface XPasteOptions extends XCopyOptions {
  /** Default 10 s; then xclip is killed and a `PeerTimeout` thrown. */
  readonly timeoutMs?: number;
}

export interface Pasted {
  readonly bytes: number;
  readonly md5: string;
  /** From the start of xclip to its end, hashing not included. */
  readonly ms: number;
}

/** Pastes into a file. Fails with xclip's words if there is no owner or it does not offer the target. */
export async function pasteToFile(display: string, file: string, options: XPasteOptions = {}): Promise<Pasted> {
  const { selection = "clipboard", target = TEXT, timeoutMs = 10_000 } = options;
  const handle = await open(file, "w");
  try {
    const start = monotonicMs();
    await runOn(display, "xclip", ["-o", "-selection", selection, "-t", target], { stdout: handle.fd, timeoutMs });
    const ms = monotonicMs() - start;
    return { bytes: (await stat(file)).size, md5: await md5OfFile(file), ms };
  } catch (error) {
    if (error instanceof PeerTimeout) throw new PeerTimeout(`a paste of ${target} from ${selection}`, timeoutMs);
    throw error;
  } finally {
    await handle.close();
  }
}

/** The targets on offer, empty without an owner. */
export async function clipboardTargets(
  display: string,
  { selection = "clipboard", timeoutMs = 20_000 }: Omit<XPasteOptions, "target"> = {},
): Promise<readonly string[]> {
  try {
    const text = await runOn(display, "xclip", ["-o", "-selection", selection, "-t", "TARGETS"], { timeoutMs });
    return text.split("\n").filter((line) => line !== "");
  } catch (error) {
    if (error instanceof Error && error.message.includes("not available")) return [];
    throw error;
  }
}

export async function md5OfFile(file: string): Promise<string> {
  const hash = createHash("md5");
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}
