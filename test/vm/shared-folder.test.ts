// The viewer's folder as a user gets it: shared by a real viewer, just there in the guest, and gone with the viewer.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClipboardType } from "../../src/wire/agent-constants.ts";
import { SpiceClient } from "../integration/peers/spice-client.ts";
import { makeTempDir, type TempDir } from "../integration/peers/temp-dir.ts";
import { monotonicMs, until } from "../integration/peers/until.ts";
import { copyFile } from "../integration/peers/x-clipboard.ts";
import { startXorgDummy } from "../integration/peers/xorg-dummy.ts";
import { Desktop } from "./desktop.ts";
import type { Guest } from "./guest.ts";
import {
  complaints,
  daemonLog,
  daemonPid,
  md5,
  readStatus,
  startProductGuest,
  waitForAgent,
  waitForStatus,
} from "./product.ts";

const MIB = 1024 * 1024;
const SHARED = "/home/guest/Shared";
const URL = "http://localhost:9843";
/** Of anybody who looks into the folder, whatever has become of the viewer. */
const PATIENCE_MS = 5000;

let guest: Guest;
let desktop: Desktop;
let viewer: SpiceClient;
let folder: TempDir;

async function share(readOnly = false): Promise<void> {
  await viewer.connect(guest.spicePort, { timeoutMs: 30_000, sharedFolder: { path: folder.path, readOnly } });
}

const mounted = (state: "read-only" | "read-write" | "none", timeoutMs = 60_000): Promise<unknown> =>
  waitForStatus(guest, `the mount is ${state}`, ({ sharedFolder }) => sharedFolder?.mount.state === state, timeoutMs);

/** How long `ls` takes, in the guest's own time. */
async function lsMs(): Promise<number> {
  const script = 'from=$(date +%s%3N); timeout 60 ls "$0" > /dev/null 2>&1; echo $(($(date +%s%3N) - from))';
  return Number(await guest.output(["sh", "-c", script, SHARED], { user: "guest", timeoutMs: 90_000 }));
}

/** What is new on the host is seen two seconds later: by then davfs2 looks again. */
const untilRead = (paths: readonly string[]): Promise<string> =>
  until("the files to be seen", () => guest.output(["cat", ...paths], { user: "guest" }), PATIENCE_MS, 250);

beforeAll(async () => {
  folder = makeTempDir("viewer-folder");
  guest = await startProductGuest();
  viewer = await SpiceClient.start();
});

afterAll(async () => {
  await viewer?.[Symbol.asyncDispose]();
  await guest?.[Symbol.asyncDispose]();
  folder?.[Symbol.dispose]();
});

describe("without a viewer", () => {
  test("the port is held, nothing listens, and the daemon does not work", async () => {
    const { sharedFolder } = await waitForStatus(
      guest,
      "held, and what one before may have left cleared up",
      (status) => status.sharedFolder?.port.state === "held" && status.sharedFolder.mount.state !== "changing",
    );
    expect(sharedFolder).toMatchObject({ viewer: "none", listening: [], mount: { state: "none" } });
    expect((await guest.run(["curl", "-sS", "-m", "5", `${URL}/`])).stderr).toMatch(
      /refused|Couldn't connect|Failed to connect/,
    );
    const pid = await daemonPid(guest);
    const ticks = async (): Promise<number> => {
      const fields = (await guest.output(["cat", `/proc/${pid}/stat`])).split(") ")[1]?.split(" ") ?? [];
      return Number(fields[11]) + Number(fields[12]);
    };
    // Its start goes on for a while after it has the port. A level-triggered watch would take a whole CPU for good: 500.
    const isAtRest = async (): Promise<boolean> => {
      const before = await ticks();
      await guest.output(["sleep", "5"]);
      return (await ticks()) - before < 10;
    };
    await until("the daemon to rest", isAtRest, 40_000, 1);
  });
});

describe("row 100: a viewer shares its folder, and it is just there", () => {
  test("mounted for the user on the screen, as theirs and nobody else's", async () => {
    writeFileSync(folder.join("hello.txt"), "hello\n");
    mkdirSync(folder.join("sub"));
    desktop = await Desktop.start(guest);
    await share();
    await mounted("read-write");
    console.log(await desktop.output(["tsvdagent", "status"]));
    expect(await guest.script(`cat ${SHARED}/hello.txt; stat -c %u:%g ${SHARED} ${SHARED}/hello.txt`)).toBe(
      "hello\n1000:1000\n1000:1000\n",
    );
    expect((await guest.run(["ls", SHARED], { user: "other" })).code).not.toBe(0);
    expect(
      (await guest.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", URL], { user: "other" })).stdout,
    ).toBe("403");
    expect(
      (await guest.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", URL], { user: "guest" })).stdout,
    ).toBe("200");
  });

  test("files both ways, with equal content: through the folder, and by curl", async () => {
    const large = randomBytes(20 * MIB);
    writeFileSync(folder.join("large.bin"), large);
    await until(
      "the file to be seen",
      async () => (await guest.run(["test", "-e", `${SHARED}/large.bin`], { user: "guest" })).code === 0,
      5000,
      250,
    );
    expect(await guest.script(`cat ${SHARED}/large.bin | md5sum`, 120_000)).toContain(md5(large));
    await guest.script(`head -c 20000000 /dev/urandom > ~/up && cp ~/up ${SHARED}/up`, 120_000);
    const sum = (await guest.script("md5sum < ~/up")).split(" ")[0];
    await until(
      "the copy on the host",
      () => existsSync(folder.join("up")) && md5(readFileSync(folder.join("up"))) === sum,
      20_000,
      250,
    );
    await guest.script(`curl -sS -T ~/up ${URL}/up2`, 120_000);
    expect(md5(readFileSync(folder.join("up2")))).toBe(sum);
    await guest.script(
      `echo one > ${SHARED}/t && echo two >> ${SHARED}/t && mv ${SHARED}/t "${SHARED}/t 2#ü" && mkdir ${SHARED}/d && rm ${SHARED}/up2`,
    );
    await until("the renamed file on the host", () => existsSync(folder.join("t 2#ü")), 20_000, 250);
    expect(readFileSync(folder.join("t 2#ü"), "utf8")).toBe("one\ntwo\n");
  });

  test("row 62: files that the viewer's user copies are pasted as paths in it, and lead to their content", async () => {
    await waitForAgent(guest, desktop);
    await viewer.waitForAgent(60_000);
    const list = folder.join(".list");
    // Names with # only where they go to the viewer: spice-gtk's server lists them unescaped, and davfs2 cuts them off there.
    writeFileSync(folder.join("t 2 ü"), "two\n");
    writeFileSync(list, "copy\0/hello.txt\0/t 2 ü\0");
    await viewer.provide(0, ClipboardType.FILE_LIST, { mode: "data", file: list });
    await viewer.grab(0, [ClipboardType.FILE_LIST]);
    const paste = (target: string): Promise<string> =>
      desktop.output(["timeout", "10", "xclip", "-selection", "clipboard", "-o", "-t", target]);
    await until(
      "the files to be on offer",
      async () => (await paste("TARGETS")).includes("text/uri-list"),
      20_000,
      250,
    );
    const uris = await paste("text/uri-list");
    expect(uris).toBe(`file://${SHARED}/hello.txt\r\nfile://${SHARED}/t%202%20%C3%BC\r\n`);
    expect(await paste("x-special/gnome-copied-files")).toBe(`copy\n${uris.trimEnd().replaceAll("\r\n", "\n")}`);
    expect(await untilRead([`${SHARED}/hello.txt`, `${SHARED}/t 2 ü`])).toBe("hello\ntwo\n");
    await viewer.release(0);
  });

  test("files that a program on the viewer's own desktop copies, from anywhere, are pasted as paths in it, and lead to their content", async () => {
    await using desktopOfHost = await startXorgDummy();
    await using windowed = await SpiceClient.start({ display: desktopOfHost.display });
    using elsewhere = makeTempDir("elsewhere");
    writeFileSync(elsewhere.join("from ü.txt"), "from elsewhere\n");
    writeFileSync(elsewhere.join(".list"), `file://${elsewhere.path}/from%20%C3%BC.txt\r\n`);
    await viewer.disconnect();
    await mounted("none");
    await windowed.connect(guest.spicePort, { timeoutMs: 30_000, sharedFolder: { path: folder.path } });
    await mounted("read-write");
    await windowed.waitForAgent(60_000);
    await using _copied = await copyFile(desktopOfHost.display, elsewhere.join(".list"), { target: "text/uri-list" });
    const paste = (target: string): Promise<string> =>
      desktop.output(["timeout", "10", "xclip", "-selection", "clipboard", "-o", "-t", target]);
    await until(
      "the file to be on offer",
      async () => (await paste("TARGETS").catch(() => "")).includes("text/uri-list"),
      20_000,
      250,
    );
    const [, path = ""] =
      /^file:\/\/(\/home\/guest\/Shared\/.*from%20%C3%BC\.txt)\r\n$/.exec(await paste("text/uri-list")) ?? [];
    expect(await untilRead([decodeURI(path)])).toBe("from elsewhere\n");
    await windowed.disconnect();
    await mounted("none");
    await share();
    await mounted("read-write");
  });

  test("row 95: 20 at a time, beside one that does not read", async () => {
    const stalled = await guest.start(["sh", "-c", `curl -sS --limit-rate 1K ${URL}/large.bin > /dev/null`], {
      user: "guest",
    });
    const script = `for n in $(seq 20); do curl -sS -m 150 -r 0-4999999 -o ~/g$n ${URL}/large.bin || echo "exit $?" & done; wait; md5sum ~/g* | cut -c1-32 | sort -u`;
    const expected = md5(readFileSync(folder.join("large.bin")).subarray(0, 5_000_000));
    expect((await guest.script(script, 170_000)).trim()).toBe(expected);
    expect(await lsMs()).toBeLessThan(PATIENCE_MS);
    await stalled.kill();
  });
});

describe("row 96: the viewer goes, freezes, comes back", () => {
  test("it goes in the middle of a PUT: no hang, no mount, an empty folder; and it is back", async () => {
    const put = await guest.start(["sh", "-c", `curl -sS --limit-rate 300K -T ~/up ${URL}/half`], { user: "guest" });
    const sitting = await guest.start(["sh", "-c", `cd ${SHARED} && exec sleep 1000`], { user: "guest" });
    await guest.output(["sleep", "3"]);
    await viewer.disconnect();
    const startMs = monotonicMs();
    const during: number[] = [];
    for (let n = 0; n < 5; n++) during.push(await lsMs());
    await mounted("none");
    console.log(
      `ls while the viewer goes: ${during.join(", ")} ms; unmounted after ${Math.round(monotonicMs() - startMs)} ms`,
    );
    expect(Math.max(...during)).toBeLessThan(PATIENCE_MS);
    expect(await guest.script(`ls -A ${SHARED}`)).toBe("");
    expect(await guest.script("grep -c Shared /proc/self/mountinfo || true")).toBe("0\n");
    expect((await guest.run(["pgrep", "-x", "mount.davfs"])).stdout).toBe("");
    await put.kill();
    await sitting.kill();
    await share();
    await mounted("read-write");
    expect(await guest.script(`cat ${SHARED}/hello.txt`)).toBe("hello\n");
  });

  test("it freezes: who looks is not kept for longer than 5 s", async () => {
    writeFileSync(folder.join("late.bin"), randomBytes(MIB));
    await guest.script(`ls ${SHARED}; sleep 3; ls ${SHARED}`);
    const during: number[] = [];
    process.kill(viewer.pid, "SIGSTOP");
    try {
      during.push(await lsMs());
      // What it remembers is too old by now.
      await guest.output(["sleep", "4"]);
      for (let n = 0; n < 3; n++) during.push(await lsMs());
      const reading = await guest.start(["cat", `${SHARED}/late.bin`], { user: "guest" });
      during.push(await lsMs(), await lsMs());
      await reading.kill();
    } finally {
      process.kill(viewer.pid, "SIGCONT");
    }
    console.log(`ls while the viewer is frozen: ${during.join(", ")} ms`);
    expect(Math.max(...during)).toBeLessThan(PATIENCE_MS);
    await mounted("read-write");
    await until(
      "the folder to be there again",
      async () => (await guest.script(`cat ${SHARED}/hello.txt`)) === "hello\n",
      60_000,
      500,
    );
  });

  test("the daemon is killed, and is back with the folder", async () => {
    const pid = await daemonPid(guest);
    await guest.output(["kill", "-9", String(pid)]);
    await until("another daemon", async () => ![0, pid].includes(await daemonPid(guest)), 30_000, 250);
    await mounted("read-write");
    expect(await guest.script(`cat ${SHARED}/hello.txt`)).toBe("hello\n");
  });

  test("shared read-only it is mounted read-only", async () => {
    await viewer.disconnect();
    await mounted("none");
    await share(true);
    await mounted("read-only");
    expect((await guest.run(["touch", `${SHARED}/x`], { user: "guest" })).stderr).toContain("Read-only file system");
    expect(await guest.script(`cat ${SHARED}/hello.txt`)).toBe("hello\n");
  });
});

describe("whose folder it is", () => {
  test("a folder that is not empty, or not the user's, is left alone, and `status` says so", async () => {
    await viewer.disconnect();
    await mounted("none");
    await guest.script(`echo mine > ${SHARED}/mine`);
    await share();
    const why = async (): Promise<string | null | undefined> => (await readStatus(guest)).sharedFolder?.mount.fault;
    await until("the mount to be refused", async () => (await why())?.startsWith("mount.not-empty"), 60_000, 500);
    expect(await guest.script(`cat ${SHARED}/mine`)).toBe("mine\n");
    await viewer.disconnect();
    // Root is not led to mount over a folder of its own.
    await guest.script(`rm ${SHARED}/mine && rmdir ${SHARED} && ln -s /mnt ${SHARED}`);
    await share();
    await until("the mount to be refused", async () => (await why())?.startsWith("mount.not-owned"), 60_000, 500);
    await viewer.disconnect();
    await guest.script(`rm ${SHARED}`);
  });

  test("a session that ends takes its mount along, another user's gets its own", async () => {
    await share();
    await mounted("read-write");
    await using other = await Desktop.start(guest, { user: "other" });
    await waitForStatus(
      guest,
      "mounted for the other",
      ({ sharedFolder }) => sharedFolder?.mount.path === "/home/other/Shared",
      60_000,
    );
    expect(await guest.script(`ls -A ${SHARED}`)).toBe("");
    expect(await other.output(["cat", "/home/other/Shared/hello.txt"])).toBe("hello\n");
    await desktop.stop();
  });

  test("power off while it is mounted takes no time", async () => {
    await until(
      "no mount",
      async () => (await readStatus(guest)).sharedFolder?.mount.state !== "changing",
      60_000,
      500,
    );
    console.log(await complaints(guest));
    console.log((await daemonLog(guest)).slice(-3000));
    const startMs = monotonicMs();
    guest.qmp.forgetEvents();
    await guest.run(["systemctl", "poweroff", "--no-block"]);
    await guest.qmp.waitFor("SHUTDOWN", 60_000);
    console.log(`power off: ${Math.round(monotonicMs() - startMs)} ms`);
  });
});
