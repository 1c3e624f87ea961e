// Opens a folder in the desktop's file manager: by the message bus, or by the programs desktops have for it. Never by a shell.
import { spawn } from "node:child_process";
import { pathToFileURL } from "node:url";
import type { MessageBus } from "../../support/bus/message-bus.ts";
import { BackendError, describeError } from "../../support/errors.ts";
import type { Log } from "../../support/log.ts";

const FILE_MANAGER = {
  destination: "org.freedesktop.FileManager1",
  path: "/org/freedesktop/FileManager1",
  interface: "org.freedesktop.FileManager1",
};
/** It may have to be started first. */
const TIMEOUT_MS = 20_000;
const asUnit = ["systemd-run", "--user", "--collect", "--quiet"] as const;
const programs: readonly (readonly [string, ...string[]])[] = [["xdg-open"], ["gio", "open"]];

/** `folder` is absolute. Undefined: there is no message bus. */
export async function showFolder(folder: string, bus: MessageBus | undefined, log: Log): Promise<void> {
  const uris = [pathToFileURL(folder).href];
  try {
    if (bus !== undefined) {
      const call = { ...FILE_MANAGER, member: "ShowFolders", signature: "ass", body: [uris, ""] };
      await bus.call(call, { timeoutMs: TIMEOUT_MS });
      return;
    }
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    log.debug(`no file manager on the message bus: ${describeError(error)}`);
  }
  for (const [program, ...args] of programs) if (await started(program, [...args, folder])) return;
  log.warn("the folder cannot be opened: neither a file manager on the message bus nor xdg-open nor gio");
}

/**
 * False: there is no such program. What it does is its own affair: from a unit it is started as one of its own, or it would
 * live and die with ours, and with no more rights.
 */
function started(program: string, args: readonly string[]): Promise<boolean> {
  const isUnit = (process.env.INVOCATION_ID ?? "") !== "";
  const [command, ...words] = isUnit ? [...asUnit, program, ...args] : [program, ...args];
  return new Promise((resolve) => {
    const child = spawn(command, words, { stdio: "ignore", detached: true });
    // systemd-run ends when it is started, and says whether it is.
    child.on("exit", (code) => resolve(code === 0));
    child.on("spawn", () => {
      child.unref();
      if (!isUnit) resolve(true);
    });
    child.on("error", () => resolve(false));
  });
}
