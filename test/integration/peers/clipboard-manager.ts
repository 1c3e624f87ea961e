/** A clipboard manager as a desktop runs it, with a home, a bus and settings of its own. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TestBus } from "./message-bus.ts";
import { OddApplication } from "./odd-application.ts";
import type { PeerProcess } from "./processes.ts";
import { monotonicMs, PeerTimeout, sleep } from "./until.ts";
import { startOn } from "./x-programs.ts";

export type ClipboardManagerName = "parcellite" | "xfce4-clipman" | "diodon";

/** For it to have read its settings and to look at the clipboard. */
const START_MS = 20_000;
/** They look twice a second, or whenever an application copies. */
const COPY_EVERY_MS = 500;

const TEXT = "UTF8_STRING";
/** An agent that cannot have this mark tells its viewer nothing of what it is on. */
const SECRET = "x-kde-passwordManagerHint";

export interface ClipboardManager extends AsyncDisposable {
  /** Undefined while it runs. */
  readonly exit: PeerProcess["exit"];
}

/** `home` need not exist; nothing outside of it is read or written. */
export async function startClipboardManager(
  name: ClipboardManagerName,
  display: string,
  home: string,
): Promise<ClipboardManager> {
  mkdirSync(join(home, ".config/parcellite"), { recursive: true });
  // It keeps what its owner has left, and PRIMARY as CLIPBOARD: all that it can be told to do.
  writeFileSync(
    join(home, ".config/parcellite/parcelliterc"),
    "[rc]\nuse_copy=true\nuse_primary=true\nsynchronize=true\nrestore_empty=true\n",
  );
  // Pictures, too, which it keeps as such and encodes anew.
  mkdirSync(join(home, ".config/glib-2.0/settings"), { recursive: true });
  writeFileSync(
    join(home, ".config/glib-2.0/settings/keyfile"),
    "[net/launchpad/diodon/clipboard]\nadd-images=true\nkeep-clipboard-content=true\n",
  );
  const bus = await TestBus.start();
  const env = {
    HOME: home,
    XDG_CONFIG_HOME: join(home, ".config"),
    XDG_DATA_HOME: join(home, ".local/share"),
    XDG_CACHE_HOME: join(home, ".cache"),
    XDG_RUNTIME_DIR: home,
    DBUS_SESSION_BUS_ADDRESS: bus.address,
    NO_AT_BRIDGE: "1",
    GSETTINGS_BACKEND: "keyfile",
  };
  const running: AsyncDisposable[] = [];
  const start = async (command: string, ...args: readonly string[]): Promise<PeerProcess> => {
    const started = await startOn(display, command, args, { env, stdout: "ignore" });
    running.push(started);
    return started;
  };
  const end = async (): Promise<void> => {
    for (const each of running.reverse()) await each[Symbol.asyncDispose]();
    await bus[Symbol.asyncDispose]();
  };
  try {
    const needed = neededBy(name);
    if (needed !== undefined) {
      await start(needed.program);
      await bus.untilOwned(needed.busName);
    }
    const manager = await start(name, ...(name === "parcellite" ? ["--no-icon"] : []));
    running.push(await lookedAt(manager, display));
    return {
      get exit() {
        return manager.exit;
      },
      [Symbol.asyncDispose]: end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/**
 * An application, to be kept, whose text the manager has asked for. It is refused, and so has nothing to keep; but that the
 * application goes would have xfce4-clipman offer that nothing, and pass over the next copy.
 */
async function lookedAt(manager: PeerProcess, display: string): Promise<OddApplication> {
  const application = await OddApplication.start(display);
  try {
    const untilMs = monotonicMs() + START_MS;
    while (!application.wasAskedFor(TEXT)) {
      if (manager.exit !== undefined) throw new Error(`${manager.name} ended: ${manager.errors}`);
      if (monotonicMs() > untilMs) throw new PeerTimeout(`${manager.name} to look at the clipboard`, START_MS);
      await application.own({ targets: [TEXT, SECRET], answers: "refuse" });
      await sleep(COPY_EVERY_MS);
    }
    return application;
  } catch (error) {
    await application[Symbol.asyncDispose]();
    throw error;
  }
}

/** What the bus would start for it if it were a desktop's. */
function neededBy(name: ClipboardManagerName): { readonly program: string; readonly busName: string } | undefined {
  switch (name) {
    case "parcellite":
      return undefined;
    case "xfce4-clipman":
      return { program: xfconfd(), busName: "org.xfce.Xfconf" };
    case "diodon":
      return { program: "zeitgeist-daemon", busName: "org.gnome.zeitgeist.Engine" };
    default:
      return name satisfies never;
  }
}

/** XFCE's settings; in a folder named after the machine. */
function xfconfd(): string {
  const path = readdirSync("/usr/lib")
    .map((folder) => `/usr/lib/${folder}/xfce4/xfconf/xfconfd`)
    .find((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error("there is no xfconfd, which comes with xfce4-clipman");
  return path;
}
