// `tsvdagent mount-helper`: mounts the viewer's folder, as root and for one request. It takes no more from who asks than a uid and
// whether anything may be changed; where, and whether at all, it finds out itself.
import { Socket } from "node:net";
import { isClassOfUser } from "../features/sessions.ts";
import { sleep, systemClock } from "../support/clock.ts";
import { BackendError, ConfigError, RunError } from "../support/errors.ts";
import type { Log } from "../support/log.ts";
import { accountOf, mountDavfs, unmountDavfs } from "../system/shared-folder/davfs-mount.ts";
import {
  MAX_MOUNT_LINE,
  type MountAnswer,
  type MountRequest,
  parseMountRequest,
} from "../system/shared-folder/mount-request.ts";
import type { CommandLine } from "./command-line.ts";
import { systemConfig } from "./settings.ts";

export type MountHelperOptions = Extract<CommandLine, { command: "mount-helper" }>["options"];

const REQUEST_MS = 5000;

/** One line of JSON is read from stdin, a socket, and one is answered. Throws a RunError where there is none. */
export async function mountHelper(options: MountHelperOptions, log: Log): Promise<void> {
  if (process.getuid?.() !== 0) throw new RunError("mount-helper is for root, and started by systemd");
  const socket = new Socket({ fd: 0 });
  socket.on("error", () => {});
  const line = await firstLine(socket);
  const request = line === undefined ? undefined : parseMountRequest(line);
  if (request === undefined) throw new RunError("no request that makes sense");
  const answer = await obey(request, options).catch((error: unknown): MountAnswer => {
    const { code, message } = faultOf(error);
    log.warn(`mount: ${code}: ${message}`);
    return { error: { code, detail: message } };
  });
  await new Promise<void>((resolve) => socket.end(`${JSON.stringify(answer)}\n`, () => resolve()));
}

/** What the system has refused, or a person has written wrongly, is told; anything else is a fault of ours, and to be seen. */
export function faultOf(error: unknown): BackendError {
  if (error instanceof BackendError) return error;
  const isOfSystem = error instanceof ConfigError || (error as NodeJS.ErrnoException).syscall !== undefined;
  if (!isOfSystem) throw error;
  return new BackendError("mount.failed", (error as Error).message, { cause: error });
}

async function obey(request: MountRequest, options: MountHelperOptions): Promise<MountAnswer> {
  if (request.kind === "unmount") {
    await unmountDavfs(request.uid);
    return { path: "" };
  }
  const { enabled, mount, path } = (await systemConfig(options))["shared-folder"];
  if (!enabled || !mount) throw new BackendError("mount.not-allowed", "the configuration says no");
  if ((await userOnScreen()) !== request.uid)
    throw new BackendError("mount.not-allowed", `user ${request.uid} is not on the screen`);
  return { path: await mountDavfs(await accountOf(request.uid), path, request.readOnly) };
}

/** By logind's word, not the asker's. Undefined: nobody, or a greeter. */
async function userOnScreen(): Promise<number | undefined> {
  const [{ LoginService }, { readSession }, { MessageBus }, { systemBusAddress }] = await Promise.all([
    import("../system/login-service.ts"),
    import("../system/login-session.ts"),
    import("../support/bus/message-bus.ts"),
    import("../support/bus/bus-address.ts"),
  ]);
  const nothing = (): void => {};
  const silence = (): Log => silent;
  const silent: Log = { error: nothing, warn: nothing, info: nothing, debug: nothing, of: silence, about: silence };
  await using bus = new MessageBus({ address: systemBusAddress(), clock: systemClock, log: silent });
  const service = new LoginService(bus);
  const path = await service.activeSession({});
  const properties = path === undefined ? undefined : await service.sessionProperties(path, {});
  if (path === undefined || properties === undefined) return undefined;
  const session = readSession(path, properties);
  return isClassOfUser(session.class) ? session.uid : undefined;
}

async function firstLine(socket: Socket): Promise<string | undefined> {
  let text = "";
  const over = new AbortController();
  const read = (async () => {
    socket.setEncoding("utf8");
    for await (const piece of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<string>) {
      text += piece;
      const end = text.indexOf("\n");
      if (end >= 0) return text.slice(0, end);
      if (text.length > MAX_MOUNT_LINE) return undefined;
    }
    return undefined;
  })();
  const late = sleep(systemClock, REQUEST_MS, over.signal).then(() => undefined);
  const line = await Promise.race([read, late]);
  over.abort();
  return line;
}
