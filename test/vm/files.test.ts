// Files that a real viewer drops on a booted guest, and the name by which the viewer's folder is found there.
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SpiceClient } from "../integration/peers/spice-client.ts";
import { makeTempDir, type TempDir } from "../integration/peers/temp-dir.ts";
import { until } from "../integration/peers/until.ts";
import { Desktop } from "./desktop.ts";
import type { Guest } from "./guest.ts";
import { complaints, md5, startProductGuest, waitForAgent, waitForStatus } from "./product.ts";

const KIB = 1024;
const LARGE_BYTES = 100_000_000;
/** Every file below the folder with the md5 of its content, as JSON: names are any bytes. */
const SUMS = `
import hashlib, json, os, sys
print(json.dumps({name: hashlib.md5(open(os.path.join(sys.argv[1], name), "rb").read()).hexdigest()
                  for name in os.listdir(sys.argv[1])}))`;

let guest: Guest;
let desktop: Desktop;
let viewer: SpiceClient;
let dir: TempDir;

beforeAll(async () => {
  dir = makeTempDir("viewer-files");
  mkdirSync(dir.join("shared"));
  guest = await startProductGuest({}, "[shared-folder]\nannounce = true\n");
  viewer = await SpiceClient.start();
  await viewer.connect(guest.spicePort, { timeoutMs: 30_000, sharedFolder: { path: dir.join("shared") } });
  desktop = await Desktop.start(guest);
  await waitForAgent(guest, desktop);
  await viewer.waitForAgent(60_000);
});

afterAll(async () => {
  await viewer?.[Symbol.asyncDispose]();
  await guest?.[Symbol.asyncDispose]();
  dir?.[Symbol.dispose]();
});

const sumsIn = async (folder: string): Promise<Record<string, string>> =>
  JSON.parse(await guest.output(["python3", "-c", SUMS, folder], { user: "guest", timeoutMs: 60_000 }));

function file(name: string, bytes: number): string {
  const path = dir.join(`sent/${name}`);
  writeFileSync(path, randomBytes(bytes));
  return path;
}

describe("rows 65, 66, 72: dropped on the viewer, in the user's downloads", () => {
  beforeAll(() => mkdirSync(dir.join("sent")));

  test("files of any size and name, with equal content, as the user's own", async () => {
    const names = [
      "a name with spaces",
      `quotes ' and "`,
      "two\nlines",
      "😀 漢字 ž.png",
      "-rf $(reboot)",
      "x".repeat(255),
    ];
    const sizes = [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, LARGE_BYTES];
    const files = [...sizes.map((bytes) => file(`${bytes}.bin`, bytes)), ...names.map((name) => file(name, 100))];
    const over = await viewer.dropAndWait(files, 120_000);
    expect(over.filter(({ error }) => error !== null)).toEqual([]);
    console.log(`100 MB and eleven small ones: ${Math.round(Math.max(...over.map(({ ms }) => ms)))} ms`);
    const expected = Object.fromEntries(files.map((path) => [basename(path), md5(readFileSync(path))]));
    expect(await sumsIn("/home/guest/Downloads")).toEqual(expected);
    expect(await guest.output(["stat", "-c", "%U %a", "/home/guest/Downloads/1.bin"])).toBe("guest 644\n");
  });

  test("a thousand at once, all of them", async () => {
    await guest.output(["find", "/home/guest/Downloads", "-type", "f", "-delete"]);
    const files = Array.from({ length: 1000 }, (_, n) => file(`small ${n}`, 20 + n));
    const over = await viewer.dropAndWait(files, 120_000);
    expect(over.filter(({ error }) => error !== null)).toEqual([]);
    console.log(`1000 small ones: ${Math.round(Math.max(...over.map(({ ms }) => ms)))} ms`);
    const expected = Object.fromEntries(files.map((path) => [basename(path), md5(readFileSync(path))]));
    expect(await sumsIn("/home/guest/Downloads")).toEqual(expected);
  });

  test("row 77: the viewer leaves in the middle: nothing is left of the file", async () => {
    await guest.output(["find", "/home/guest/Downloads", "-type", "f", "-delete"]);
    await viewer.drop([file("large", LARGE_BYTES)]);
    await guest.output(["sleep", "2"]);
    await viewer.disconnect();
    await guest.output(["sleep", "2"]);
    expect(await sumsIn("/home/guest/Downloads")).toEqual({});
    await viewer.connect(guest.spicePort, { timeoutMs: 30_000, sharedFolder: { path: dir.join("shared") } });
    await viewer.waitForAgent(60_000);
  });
});

describe("row 98: the viewer's folder by mDNS, from the sandboxed unit", () => {
  const resolve = ["org.freedesktop.Avahi", "/", "org.freedesktop.Avahi.Server", "ResolveService", "iisssiu"];
  const found = async (): Promise<string> => {
    const query = ["1", "0", "Spice client folder", "_webdav._tcp", "local", "0", "0"];
    // Avahi answers after five seconds that there is nothing.
    const { stdout, stderr } = await guest.run(["busctl", "call", ...resolve, "--", ...query], { timeoutMs: 40_000 });
    return stdout || stderr;
  };

  test("is found while the viewer shares, and no longer", async () => {
    await guest.output(["systemctl", "start", "avahi-daemon.service"], { timeoutMs: 60_000 });
    const isAnnounced = (name: string | null): Promise<unknown> =>
      waitForStatus(
        guest,
        `announced as ${name}`,
        ({ sharedFolder }) => sharedFolder?.announced?.name === name,
        60_000,
      );
    await isAnnounced("Spice client folder");
    expect(await found()).toMatch(
      /"Spice client folder" "_webdav\._tcp" "local" "tsvdagent-test\.local" 0 "127\.0\.0\.1" 9843 /,
    );
    await viewer.disconnect();
    await until("it to be withdrawn", async () => !(await found()).includes(" 9843 "), 60_000, 500);
    await viewer.connect(guest.spicePort, { timeoutMs: 30_000, sharedFolder: { path: dir.join("shared") } });
    await isAnnounced("Spice client folder");
    // Avahi's own end and return, as an upgrade of it.
    await guest.output(["systemctl", "restart", "avahi-daemon.service"], { timeoutMs: 60_000 });
    await isAnnounced("Spice client folder");
    expect(await found()).toContain(" 9843 ");
    console.log(await complaints(guest));
  });
});
