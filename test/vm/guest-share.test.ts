// The guest's folder as the host gets it: over a virtio port of a booted guest, without any network of the guest's.
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { GuestShareReport } from "../../src/programs/status-report.ts";
import { type Agent, startAgent } from "../integration/peers/agent.ts";
import { freePort } from "../integration/peers/free-port.ts";
import {
  cadaver,
  curl,
  type FolderOfGuest,
  inBrowser,
  rcloneOf,
  withGvfs,
} from "../integration/peers/share-clients.ts";
import { makeTempDir, type TempDir } from "../integration/peers/temp-dir.ts";
import { monotonicMs, until } from "../integration/peers/until.ts";
import { Desktop } from "./desktop.ts";
import type { Guest } from "./guest.ts";
import { complaints, daemonLog, daemonPid, md5, readStatus, startProductGuest, waitForStatus } from "./product.ts";

const MIB = 1024 * 1024;
const SHARE_PORT = "org.tsvdagent.share.0";
const PUBLIC = "/home/guest/Public";
const PASSWORD_FILE = "/home/guest/.local/state/tsvdagent/guest-share-password";
/** On the guest's own loopback, for programs in it. */
const PORT_IN_GUEST = 9846;
const CONFIG = `[guest-share]\nfolders = ["~/Public"]\nwritable = true\nport = ${PORT_IN_GUEST}\n`;

let guest: Guest;
let desktop: Desktop;
let proxy: Agent;
let dir: TempDir;
let folder: FolderOfGuest;

const status = (...args: readonly string[]): Promise<string> =>
  curl(folder, "-m", "20", "-o", "/dev/null", "-w", "%{http_code}", ...args).catch((error: Error) => error.message);

async function startProxy(at: string): Promise<void> {
  proxy = await startAgent(["share-proxy", "--port", guest.portSocket(SHARE_PORT), "--listen", at]);
  await proxy.untilLogged(/the guest's port is open/);
}

const shareOf = async (): Promise<GuestShareReport> => {
  const { guestShare } = await readStatus(guest);
  if (guestShare === null) throw new Error("no port of the guest's folder");
  return guestShare;
};

const isServed = (timeoutMs = 30_000): Promise<unknown> =>
  until("the folder to be served", async () => (await status(folder.url)) === "200", timeoutMs, 250);

beforeAll(async () => {
  dir = makeTempDir("guest-share");
  guest = await startProductGuest({ extraPorts: [SHARE_PORT] });
  await guest.script(
    `mkdir -p ~/Public ~/.config/tsvdagent && cat > ~/.config/tsvdagent/config.toml <<'END'\n${CONFIG}END`,
  );
  desktop = await Desktop.start(guest);
  const at = `127.0.0.1:${await freePort()}`;
  await startProxy(at);
  const password = await until(
    "the password",
    async () => /^(.+):(.+)\n$/.exec((await guest.run(["cat", PASSWORD_FILE])).stdout),
    60_000,
    500,
  );
  folder = { url: `http://${at}/Public/`, user: password[1] ?? "", password: password[2] ?? "" };
  await isServed();
});

afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await guest?.[Symbol.asyncDispose]();
  dir?.[Symbol.dispose]();
});

describe("on the host, without a network of the guest's", () => {
  test("curl: 50 MB each way with equal content, a part of it, a listing, and times that are told", async () => {
    const content = randomBytes(50 * MIB);
    writeFileSync(dir.join("up"), content);
    let startMs = monotonicMs();
    expect(await status("-m", "55", "-T", dir.join("up"), `${folder.url}up.bin`)).toBe("201");
    console.log(`50 MiB to the guest: ${Math.round(monotonicMs() - startMs)} ms`);
    expect(await guest.script(`md5sum < ${PUBLIC}/up.bin`)).toContain(md5(content));
    startMs = monotonicMs();
    await curl(folder, "-o", dir.join("down"), `${folder.url}up.bin`);
    console.log(`50 MiB from the guest: ${Math.round(monotonicMs() - startMs)} ms`);
    expect(md5(readFileSync(dir.join("down")))).toBe(md5(content));
    await curl(folder, "-r", "1000-1999", "-o", dir.join("part"), `${folder.url}up.bin`);
    expect(readFileSync(dir.join("part"))).toEqual(content.subarray(1000, 2000));
    expect(await curl(folder, "-X", "PROPFIND", "-H", "Depth: 1", folder.url)).toContain(
      "<D:href>/Public/up.bin</D:href>",
    );
    expect(await guest.script(`stat -c '%U %a' ${PUBLIC}/up.bin`)).toBe("guest 644\n");
  });

  test("20 at once beside one that takes nothing", async () => {
    // Its time is over before it has all.
    const slow = status("--limit-rate", "1K", `${folder.url}up.bin`);
    const expected = createHash("md5")
      .update(readFileSync(dir.join("up")).subarray(0, MIB))
      .digest("hex");
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        curl(folder, "-r", `0-${MIB - 1}`, "-o", dir.join(`g${n}`), `${folder.url}up.bin`),
      ),
    );
    for (let n = 0; n < 20; n++) expect(md5(readFileSync(dir.join(`g${n}`)))).toBe(expected);
    expect(await slow).toContain("exit 28");
  });

  test("cadaver makes, puts, locks, edits, copies, moves and removes", async () => {
    writeFileSync(dir.join("note"), "first\n");
    const text = await cadaver(folder, dir, [
      ...["mkcol desk", "cd desk", `put ${dir.join("note")} note`, "lock note", "unlock note", "edit note"],
      ...["copy note copied", "move copied moved", `get moved ${dir.join("got")}`, "delete note"],
    ]);
    expect(text).not.toMatch(/failed|error/i);
    expect(readFileSync(dir.join("got"), "utf8")).toBe("first\nedited\n");
    expect(await guest.script(`cd ${PUBLIC}/desk && ls && cat moved`)).toBe("moved\nfirst\nedited\n");
  });

  test("rclone copies 60 files both ways, finds them equal, and moves them", async () => {
    mkdirSync(dir.join("many/deep er"), { recursive: true });
    for (let n = 0; n < 60; n++)
      writeFileSync(
        dir.join(`many/${n % 3 === 0 ? "deep er/" : ""}file ${n} 'ü&#.txt`),
        randomBytes(1 + ((n * 997) % 20_000)),
      );
    const rclone = await rcloneOf(folder, dir);
    await rclone("copy", dir.join("many"), "guest:many");
    await rclone("check", "--download", dir.join("many"), "guest:many");
    await rclone("move", "guest:many", "guest:moved");
    expect(await guest.script(`find ${PUBLIC}/moved -type f | wc -l; find ${PUBLIC}/many -type f | wc -l`)).toBe(
      "60\n0\n",
    );
  });

  test("a browser lists, downloads and uploads", async () => {
    await guest.script(`mkdir ${PUBLIC}/page && printf 'from the guest' > "${PUBLIC}/page/a ü&.txt"`);
    writeFileSync(dir.join("from the host.txt"), "from the host");
    await inBrowser(folder, async (page) => {
      await page.goto(`${folder.url}page/`);
      await page.getByText("a ü&.txt").click();
      await page.waitForURL(/\.txt$/);
      expect(await page.textContent("body")).toBe("from the guest");
      await page.goto(`${folder.url}page/`);
      await page.setInputFiles("#files", dir.join("from the host.txt"));
      await page.getByRole("link", { name: "from the host.txt" }).waitFor({ timeout: 20_000 });
    });
    expect(await guest.script(`cat "${PUBLIC}/page/from the host.txt"`)).toBe("from the host");
  });

  test("a file manager of GTK's, through gvfs", async () => {
    await guest.script(`mkdir ${PUBLIC}/files && echo first > ${PUBLIC}/files/one`);
    const text = await withGvfs(folder, dir, [
      'gio list "$at/files"',
      'gio cat "$at/files/one"',
      `gio copy "${dir.join("from the host.txt")}" "$at/files/put"`,
      'gio move "$at/files/put" "$at/files/re named"',
    ]);
    expect(text).toBe("one\nfirst\n");
    expect(await guest.script(`cat "${PUBLIC}/files/re named"`)).toBe("from the host");
  });
});

describe("for an ordinary user", () => {
  test("what is read only is copied, and its copy is read only, too; in a folder as well", async () => {
    await guest.script(
      `cd ${PUBLIC} && mkdir ro && echo mine > ro/f && chmod 444 ro/f && cp -p ro/f f && mkdir there && touch there/old`,
    );
    const copied = (from: string, to: string): Promise<string> =>
      status("-X", "COPY", "-H", `Destination: ${folder.url}${to}`, `${folder.url}${from}`);
    expect(await copied("f", "g")).toBe("201");
    expect(await copied("ro", "there")).toBe("204");
    const found = `cd ${PUBLIC} && cat g there/f && stat -c '%U %a' g there/f && ls there && ls -A | grep -c tsvdagent || true`;
    expect(await guest.script(found)).toBe("mine\nmine\nguest 444\nguest 444\nf\n0\n");
  });
});

describe("in the guest itself", () => {
  test("davfs2 mounts it: copies, appends, moves and removes, with equal content", async () => {
    // The port is for the user's programs and root's: davfs2 is to stay root, and not become a user of its own.
    const options = "ask_auth 0\\nuse_locks 1\\ndelay_upload 0\\n";
    const script = `
set -e
mkdir -p /mnt2 /run/dav
printf 'dav_user root\\ndav_group root\\n' > /etc/davfs2/davfs2.conf
printf '${options}' > /run/dav/conf
printf 'http://127.0.0.1:${PORT_IN_GUEST}/ %s %s\\n' "$1" "$2" > /etc/davfs2/secrets
chmod 600 /etc/davfs2/secrets
mount -t davfs -o uid=1000,conf=/run/dav/conf http://127.0.0.1:${PORT_IN_GUEST}/ /mnt2
cd /mnt2/Public
mkdir gone && touch gone/too
head -c 20000000 /dev/urandom > /run/dav/up
cp /run/dav/up davfs.bin
printf 'one\\n' > t && printf 'two\\n' >> t && mv t 't 2#ü' && mkdir d && cp 't 2#ü' d/ && rm -r gone
cd / && umount /mnt2 > /dev/null 2>&1
md5sum < /run/dav/up; md5sum < ${PUBLIC}/davfs.bin
cat '${PUBLIC}/t 2#ü' '${PUBLIC}/d/t 2#ü'; ls -d ${PUBLIC}/gone 2>&1 | tail -c 10`;
    const text = await guest.output(["sh", "-c", script, "sh", folder.user, folder.password], { timeoutMs: 150_000 });
    const [sum, again, ...rest] = text.split("\n");
    expect(sum).toMatch(/^[0-9a-f]{32} /);
    expect(again).toBe(sum);
    expect(rest.slice(0, 4)).toEqual(["one", "two", "one", "two"]);
    expect(text).toContain("directory");
  });

  test("a file manager of GTK's has it, through gvfs: lists, reads, puts and moves", async () => {
    const at = `dav://${folder.user}@127.0.0.1:${PORT_IN_GUEST}/Public`;
    const text = await guest.script(
      `
set -e
mkdir -p ${PUBLIC}/gtk && echo first > ${PUBLIC}/gtk/one && head -c 5000000 /dev/urandom > ~/five
printf '%s\\n' '${folder.password}' | gio mount '${at}' > /dev/null 2>&1
gio list '${at}/gtk'; gio cat '${at}/gtk/one'
gio copy ~/five '${at}/gtk/put'
gio move '${at}/gtk/put' '${at}/gtk/re%20named'
cmp ~/five "${PUBLIC}/gtk/re named"
gio mount -u '${at}'`,
      150_000,
    );
    expect(text).toBe("one\nfirst\n");
  });
});

describe("who comes and goes", () => {
  test("share-proxy is started anew: the port is hung up and opened again", async () => {
    await proxy[Symbol.asyncDispose]();
    await startProxy(new URL(folder.url).host);
    await isServed();
    await proxy.process.kill("SIGKILL");
    await proxy[Symbol.asyncDispose]();
    await startProxy(new URL(folder.url).host);
    await isServed();
  });

  test("the daemon is killed in the middle of a PUT: no half file, and it is served again", async () => {
    await guest.script(`echo old > ${PUBLIC}/kept`);
    const put = status("--limit-rate", "2M", "-T", dir.join("up"), `${folder.url}kept`);
    await until(
      "the PUT to begin",
      async () => (await guest.script(`ls -l /proc/[0-9]*/fd 2> /dev/null | grep -c '${PUBLIC}/#' || true`)) !== "0\n",
      20_000,
      250,
    );
    const pid = await daemonPid(guest);
    await guest.output(["kill", "-9", String(pid)]);
    expect(await put).not.toMatch(/^2/);
    await isServed(60_000);
    expect(await guest.script(`cat ${PUBLIC}/kept; ls -A ${PUBLIC} | grep -c part || true`)).toBe("old\n0\n");
  });

  test("the host leaves while it is kept waiting for a session that stands still: the next one is served", async () => {
    const [agent] = (await readStatus(guest)).sessions;
    await guest.output(["kill", "-STOP", String(agent?.pid)]);
    try {
      const takenBytes = async (): Promise<number> => {
        const io = await guest.output(["cat", `/proc/${await daemonPid(guest)}/io`]);
        return Number(/^rchar: (\d+)$/m.exec(io)?.[1]);
      };
      const start = await takenBytes();
      const put = status("-T", dir.join("up"), `${folder.url}never`);
      let last = start;
      const standsStill = async (): Promise<boolean> => {
        const before = last;
        last = await takenBytes();
        return last - start > 4 * MIB && last - before < 1000;
      };
      await until("the host to be kept waiting", standsStill, 30_000, 1000);
      await proxy.process.kill("SIGKILL");
      expect(await put).not.toMatch(/^2/);
      await proxy[Symbol.asyncDispose]();
      await until(
        "the daemon to notice",
        async () => (await daemonLog(guest)).trimEnd().endsWith("guest share: the host is gone"),
        20_000,
        500,
      );
      await startProxy(new URL(folder.url).host);
    } finally {
      await guest.output(["kill", "-CONT", String(agent?.pid)]);
    }
    await isServed(60_000);
    expect(await guest.script(`ls ${PUBLIC}/never 2>&1 || true`)).toContain("No such file");
  });

  test("savevm and loadvm with the port open, and with a file on its way: served again, as it was then", async () => {
    await guest.script(`echo then > ${PUBLIC}/at`);
    await guest.qmp.saveState("then");
    writeFileSync(dir.join("later"), "later");
    for (let n = 0; n < 5; n++) expect(await status("-T", dir.join("later"), `${folder.url}at`)).toBe("204");
    const get = status("--limit-rate", "1M", `${folder.url}up.bin`);
    await until("it to be on its way", async () => (await shareOf()).connections > 0, 20_000, 250);
    await guest.qmp.loadState("then");
    expect(await get).not.toBe("200");
    await isServed(60_000);
    await curl(folder, "-o", dir.join("at"), `${folder.url}at`);
    expect(readFileSync(dir.join("at"), "utf8")).toBe("then\n");
    expect(await status("-T", dir.join("later"), `${folder.url}at`)).toBe("204");
    await guest.qmp.monitor("delvm then");
  }, 400_000);

  test("its user logs out: whoever connects is closed at once; another user's session does not serve it", async () => {
    await desktop.stop();
    await waitForStatus(guest, "no session", ({ sessions }) => sessions.length === 0, 60_000);
    const startMs = monotonicMs();
    expect(await status(folder.url)).toMatch(/exit (52|56)/);
    expect(monotonicMs() - startMs).toBeLessThan(3000);
    desktop = await Desktop.start(guest);
    await isServed(60_000);
  });

  test("nothing of it was a complaint", async () => {
    const text = await complaints(guest);
    console.log(text);
    expect(text).not.toContain(folder.password);
    expect(text).not.toMatch(/guest share: .*failed/);
  });
});
