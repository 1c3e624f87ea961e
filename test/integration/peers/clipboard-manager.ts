/** A clipboard manager as a desktop runs it, with a home, a bus and settings of its own. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TestBus } from "./message-bus.ts";
import type { PeerProcess } from "./processes.ts";
import { sleep } from "./until.ts";
import { startOn } from "./x-programs.ts";

export type ClipboardManagerName = "parcellite" | "xfce4-clipman" | "diodon";

/** For it to have read its settings and to look at the selections. */
const START_MS = 1500;

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
  const needed = { parcellite: undefined, "xfce4-clipman": xfconfd, diodon: () => "zeitgeist-daemon" }[name];
  const helper = needed === undefined ? undefined : await startOn(display, needed(), [], { env, stdout: "ignore" });
  const program = await startOn(display, name, name === "parcellite" ? ["--no-icon"] : [], { env, stdout: "ignore" });
  await sleep(START_MS);
  if (program.exit !== undefined) {
    await helper?.kill();
    await bus[Symbol.asyncDispose]();
    throw new Error(`${name} ended: ${program.errors}`);
  }
  return {
    get exit() {
      return program.exit;
    },
    [Symbol.asyncDispose]: async () => {
      await program.kill();
      await helper?.kill();
      await bus[Symbol.asyncDispose]();
    },
  };
}

/** XFCE's settings, which the bus would start if it were a desktop's; in a folder named after the machine. */
function xfconfd(): string {
  const path = readdirSync("/usr/lib")
    .map((folder) => `/usr/lib/${folder}/xfce4/xfconf/xfconfd`)
    .find((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error("there is no xfconfd, which comes with xfce4-clipman");
  return path;
}
