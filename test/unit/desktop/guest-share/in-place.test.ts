// What is replaced is never lost, whatever a program of the guest's does meanwhile.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { inPlaceOf } from "../../../../src/desktop/guest-share/in-place.ts";
import { PassingPlaces } from "../../../../src/desktop/guest-share/passing-places.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";
import { makeTempDir, type TempDir } from "../../../integration/peers/temp-dir.ts";

let dir: TempDir;
const log = recordingLog();

beforeEach(() => {
  dir = makeTempDir("in-place");
  mkdirSync(dir.join("shared/old"), { recursive: true });
  writeFileSync(dir.join("shared/old/kept"), "kept");
});

afterEach(() => dir[Symbol.dispose]());

async function replace(put: () => Promise<void>): Promise<void> {
  await using handle = await open(dir.join("shared"));
  const folder = { path: `/proc/self/fd/${handle.fd}` };
  const passing = new PassingPlaces(dir.join("notes"), log.log);
  await inPlaceOf({ folder: folder as never, name: "old" }, put, passing);
}

test("it is gone when the new one is there", async () => {
  await replace(async () => mkdirSync(dir.join("shared/old")));
  expect(readdirSync(dir.join("shared"))).toEqual(["old"]);
  expect(existsSync(dir.join("shared/old/kept"))).toBe(false);
  expect(readdirSync(dir.join("notes"))).toEqual([]);
});

test("it comes back when there is no new one", async () => {
  await expect(replace(() => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
  expect(readFileSync(dir.join("shared/old/kept"), "utf8")).toBe("kept");
  expect(readdirSync(dir.join("notes"))).toEqual([]);
});

test("it comes back under another name when its own was taken meanwhile", async () => {
  const put = async (): Promise<void> => {
    mkdirSync(dir.join("shared/old"));
    writeFileSync(dir.join("shared/old/another's"), "");
    throw new Error("not empty");
  };
  await expect(replace(put)).rejects.toThrow("not empty");
  expect(readFileSync(dir.join("shared/old (1)/kept"), "utf8")).toBe("kept");
  expect(readdirSync(dir.join("shared")).sort()).toEqual(["old", "old (1)"]);
});

test("a file that has taken its name meanwhile is not lost either", async () => {
  const put = async (): Promise<void> => {
    writeFileSync(dir.join("shared/old"), "another's");
    throw new Error("a file is there");
  };
  await expect(replace(put)).rejects.toThrow("a file is there");
  expect(readFileSync(dir.join("shared/old"), "utf8")).toBe("another's");
  expect(readFileSync(dir.join("shared/old (1)/kept"), "utf8")).toBe("kept");
});

test("it stays where it was put aside, and is tried again at the next start, when there is no way back", async () => {
  const { path } = dir;
  await using handle = await open(dir.join("shared"));
  const real = `/proc/self/fd/${handle.fd}`;
  const folder = { path: real };
  const gone = { path: `${path}/nowhere` };
  const passing = new PassingPlaces(dir.join("notes"), log.log);
  // The folder's own name leads nowhere any more.
  const put = async (): Promise<void> => {
    folder.path = gone.path;
    throw new Error("failed");
  };
  await expect(inPlaceOf({ folder, name: "old" } as never, put, passing)).rejects.toThrow("failed");
  const [hidden = ""] = readdirSync(dir.join("shared"));
  expect(log.lines.at(-1)).toContain(`could not be put back, and is at ${dir.join(`shared/${hidden}`)}`);
  expect(readFileSync(dir.join(`shared/${hidden}/kept`), "utf8")).toBe("kept");
  expect(readlinkSync(dir.join(`notes/${hidden}`))).toBe(
    `${statSync(dir.join("shared")).ino}:${dir.join("shared/old")}`,
  );
});

test.each([
  ["with nothing in its place: it is back at the next start", "", ["old"], ["kept"]],
  ["with another in its place: it is back under another name", "mkdir", ["old", "old (1)"], []],
])("we are killed when it is put aside, %s", async (_, put, names, inOld) => {
  const modules = ["in-place.ts", "passing-places.ts"].map(
    (name) => new URL(`../../../../src/desktop/guest-share/${name}`, import.meta.url).pathname,
  );
  const script = `
    import { mkdirSync, openSync } from "node:fs";
    import { inPlaceOf } from ${JSON.stringify(modules[0])};
    import { PassingPlaces } from ${JSON.stringify(modules[1])};
    const [notes, shared, put] = process.argv.slice(2);
    const fd = openSync(shared, "r");
    const folder = { fd, path: "/proc/self/fd/" + fd };
    void inPlaceOf({ folder, name: "old" }, async () => {
      if (put !== "") mkdirSync(shared + "/old");
      process.kill(process.pid, "SIGKILL");
    }, new PassingPlaces(notes, { error: console.error }));`;
  writeFileSync(dir.join("killed.ts"), script);
  const { signal, stderr } = spawnSync(
    process.execPath,
    ["--import", "tsx", dir.join("killed.ts"), dir.join("notes"), dir.join("shared"), put],
    { encoding: "utf8", cwd: new URL("../../../..", import.meta.url).pathname },
  );
  expect([signal, stderr]).toEqual(["SIGKILL", ""]);
  expect(existsSync(dir.join("shared/old/kept"))).toBe(false);
  expect(await new PassingPlaces(dir.join("notes"), log.log).settleLeftovers()).toBe(1);
  expect(readdirSync(dir.join("shared")).sort()).toEqual(names);
  expect(readdirSync(dir.join("shared/old"))).toEqual(inOld);
  expect(readFileSync(dir.join(`shared/${names.at(-1)}/kept`), "utf8")).toBe("kept");
  expect(readdirSync(dir.join("notes"))).toEqual([]);
});
