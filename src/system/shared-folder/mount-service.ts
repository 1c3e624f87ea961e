// Root's helper as the daemon asks it: a unit of systemd outside the daemon's sandbox, started by each connection.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { addAbortSignal } from "node:stream";
import type { ShareMount } from "../../features/shared-folder.ts";
import { BackendError } from "../../support/errors.ts";
import { MAX_MOUNT_LINE, type MountRequest, parseMountAnswer } from "./mount-request.ts";

const ANSWER_MS = 30_000;

/** davfs2 gives up root for this user. */
const DAVFS_USER = "davfs2";

/** Whose process it is that connects for a mount; undefined where there is no davfs2. */
export async function davfsUser(): Promise<number | undefined> {
  const users = await readFile("/etc/passwd", "utf8").catch(() => "");
  const uid = users
    .split("\n")
    .find((line) => line.startsWith(`${DAVFS_USER}:`))
    ?.split(":")[2];
  return uid === undefined ? undefined : Number(uid);
}

export class MountService {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Where it is mounted. Throws a BackendError: `mount.no-service` where there is none, or the helper's own. */
  async mount({ uid, readOnly }: ShareMount): Promise<string> {
    return this.#ask({ kind: "mount", uid, readOnly }, ANSWER_MS);
  }

  /** Throws as `mount`. */
  async unmount(uid: number, timeoutMs = ANSWER_MS): Promise<void> {
    await this.#ask({ kind: "unmount", uid }, timeoutMs);
  }

  async #ask(request: MountRequest, timeoutMs: number): Promise<string> {
    const signal = AbortSignal.timeout(timeoutMs);
    const socket = connect({ path: this.#socketPath });
    try {
      await once(socket, "connect", { signal }).catch((cause: unknown) => {
        throw new BackendError("mount.no-service", `nobody mounts here: ${String(cause)}`, { cause });
      });
      const answer = parseMountAnswer(
        await exchange(socket, request, signal).catch((cause: unknown) => {
          const why = signal.aborted ? `no answer after ${timeoutMs / 1000} s` : String(cause);
          throw new BackendError("mount.failed", `the helper for mounts: ${why}`, { cause });
        }),
      );
      if (answer === undefined) throw new BackendError("mount.failed", "the helper for mounts does not answer");
      if ("error" in answer) throw new BackendError(codeOf(answer.error.code), answer.error.detail);
      return answer.path;
    } finally {
      socket.destroy();
    }
  }
}

/** Rejects when the helper closes too soon, or does not before the signal is aborted. */
async function exchange(socket: Socket, request: MountRequest, signal: AbortSignal): Promise<string> {
  socket.on("error", () => {});
  addAbortSignal(signal, socket);
  socket.write(`${JSON.stringify(request)}\n`);
  socket.setEncoding("utf8");
  let text = "";
  for await (const piece of socket as AsyncIterable<string>) {
    text += piece;
    if (text.length > MAX_MOUNT_LINE) break;
  }
  return text;
}

const CODES = ["mount.no-davfs", "mount.no-user", "mount.not-empty", "mount.not-owned", "mount.not-allowed"] as const;

function codeOf(code: string): (typeof CODES)[number] | "mount.failed" {
  return CODES.find((known) => known === code) ?? "mount.failed";
}
