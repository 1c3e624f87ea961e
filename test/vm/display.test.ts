// The screen follows the viewer in QEMU, where its wishes go to the graphics card and come back as hotplug.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WantedDisplay } from "../integration/peers/spice-client.ts";
import { makeTempDir, type TempDir } from "../integration/peers/temp-dir.ts";
import { sleep, until } from "../integration/peers/until.ts";
import { drag, type HotplugGuest, layoutsSet, reactionsMs, resizeMs, startHotplugGuest } from "./hotplug.ts";
import { complaints } from "./product.ts";
import { pointerPosition } from "./watch.ts";

const at = (width: number, height: number, x = 0, y = 0): WantedDisplay => ({ width, height, x, y });
const place = ({ width, height, x = 0, y = 0 }: WantedDisplay): string => `${width}x${height}+${x}+${y}`;

/** One to four heads: side by side, stacked, with an offset. */
const arrangements: readonly (readonly [string, readonly WantedDisplay[]])[] = [
  ["one", [at(1283, 721)]],
  ["two side by side", [at(1024, 768), at(801, 603, 1024)]],
  ["two stacked", [at(1000, 700), at(800, 600, 0, 700)]],
  ["two with an offset, the second to the left", [at(1000, 700, 640, 0), at(640, 480, 0, 100)]],
  ["three, two above one", [at(800, 600), at(640, 480, 800), at(1024, 768, 100, 600)]],
  ["four in a square", [at(800, 600), at(720, 600, 800), at(800, 500, 0, 600), at(720, 500, 800, 600)]],
  // Wider ones are too far right for the kernel's driver of qxl, whoever sets them.
  ["four side by side", [at(460, 480), at(462, 481, 460), at(464, 482, 922), at(466, 483, 1386)]],
  ["one again", [at(1366, 768)]],
];

describe.each(["qxl", "virtio-gpu"] as const)("%s", (graphics) => {
  let all: HotplugGuest;
  let dir: TempDir;
  /** Of a start on a busy machine: an X server that takes its time. */
  let complaintsBefore: string;

  beforeAll(async () => {
    dir = makeTempDir("display");
    all = await startHotplugGuest({ graphics, maxOutputs: 4 });
    complaintsBefore = await complaints(all.guest);
  });
  afterAll(async () => {
    await all?.[Symbol.asyncDispose]();
    dir?.[Symbol.dispose]();
  });

  test("row 38: sizes, one after the other, to the pixel", async () => {
    const times: number[] = [];
    for (const [width, height] of [
      [1283, 721],
      [801, 603],
      [1366, 768],
      [1024, 768],
    ] as const) {
      times.push(Math.round(await resizeMs(all.viewer, at(width, height))));
      await all.becomes(`${width}x${height}+0+0`);
    }
    console.log(`${graphics}: sent → seen ${times.join(", ")} ms; ours ${reactionsMs(await all.log()).join(", ")} ms`);
  });

  test.each(arrangements)("rows 30, 31, 38: %s", async (_, wanted) => {
    await all.viewer.setDisplays(wanted);
    if (graphics === "qxl") await all.becomes(...wanted.map(place));
    else {
      // The card does not say where: every display in its size, and none over another.
      const sizes = wanted.map(({ width, height }) => `${width}x${height}`).join(" ");
      const isThere = async (): Promise<boolean> =>
        (await all.shown()).heads.map((head) => head.split("+")[0]).join(" ") === sizes;
      await until(`the guest to show ${sizes}`, isThere, 20_000, 200).catch(async (error: unknown) => {
        throw new Error(`${error}\n${(await all.log()).slice(-3000)}`, { cause: error });
      });
      expectApart((await all.shown()).heads);
    }
    const sees = (): Promise<boolean> => viewerSees(all, graphics, wanted, dir.join("shot.png"));
    await until("the viewer to see each display in its size", sees, 20_000, 300).catch((error: unknown) => {
      throw new Error(`${error}: it sees ${JSON.stringify(all.viewer.monitors)}`, { cause: error });
    });
    expect(await complaints(all.guest)).toBe(complaintsBefore);
  });

  test("30 sizes in 1.5 s end on the last, and none is set twice", async () => {
    const before = layoutsSet(await all.log()).length;
    const last = await drag(all.viewer, 30, 1500, at(800, 600));
    await all.becomes(place(last));
    await sleep(1500);
    const set = layoutsSet(await all.log()).slice(before);
    expect(new Set(set).size).toBe(set.length);
    expect(set.at(-1)).toContain(place(last));
    console.log(`${graphics}: a drag of 30 sizes: ${set.length} set`);
  });

  test("what the user has turned stays turned, and primary what was", async () => {
    await all.viewer.setDisplays([at(1000, 700), at(800, 600, 1000)]);
    await all.becomes("1000x700+0+0", "800x600+1000+0");
    await sleep(2500);
    await all.desktop.output([
      "xrandr",
      "--output",
      "Virtual-1",
      "--rotate",
      "left",
      "--output",
      "Virtual-2",
      "--primary",
    ]);
    await all.viewer.setDisplays([at(900, 640), at(800, 600, 900)]);
    await until("the turned size", async () => (await all.shown()).text.includes("640x900"), 20_000, 200);
    const { text } = await all.shown();
    expect(text).toMatch(/^Virtual-1 connected 640x900\+\d+\+\d+ left/m);
    expect(text).toMatch(/^Virtual-2 connected primary 800x600\+\d+\+\d+/m);
    // Row 18: and the pointer is where the viewer's is, on its side as it lies.
    const [, left = 0, top = 0] = /^Virtual-1 connected 640x900\+(\d+)\+(\d+)/m.exec(text)?.map(Number) ?? [];
    for (const [x, y, atX, atY] of [
      [10, 620, 19, 10],
      [880, 20, 619, 880],
    ] as const) {
      const isThere = async (): Promise<boolean> => {
        await all.viewer.position(x - 1, y, 0);
        await all.viewer.position(x, y, 0);
        const pointer = await pointerPosition(all.desktop);
        return pointer.x === left + atX && pointer.y === top + atY;
      };
      await until(`the pointer at ${atX},${atY} of the turned display`, isThere, 20_000, 500).catch(async (error) => {
        throw new Error(`${error}: it is at ${JSON.stringify(await pointerPosition(all.desktop))}`);
      });
    }
    await all.desktop.output(["xrandr", "--output", "Virtual-1", "--rotate", "normal"]);
  });

  test("what the user has scaled stays scaled, and the viewer has its size", async () => {
    await all.viewer.setDisplays([at(1000, 700)]);
    await all.becomes("1000x700+0+0");
    await sleep(2500);
    await all.desktop.output(["xrandr", "--output", "Virtual-1", "--scale", "0.5x0.5"]);
    await all.becomes("500x350+0+0");
    await all.viewer.setDisplays([at(900, 640)]);
    await all.becomes("450x320+0+0");
    await until(
      "the viewer's size",
      () => viewerSees(all, graphics, [at(900, 640)], dir.join("shot.png")),
      20_000,
      300,
    );
    await all.desktop.output(["xrandr", "--output", "Virtual-1", "--scale", "1x1"]);
    await all.becomes("900x640+0+0");
  });

  test("a mode of the user's own choice stays until the viewer wants another", async () => {
    await all.viewer.setDisplays([at(1100, 750)]);
    await all.becomes("1100x750+0+0");
    await sleep(2500);
    await all.desktop.output(["xrandr", "--output", "Virtual-1", "--mode", "640x480"]);
    await all.becomes("640x480+0+0");
    await sleep(1500);
    expect((await all.shown()).heads).toEqual(["640x480+0+0"]);
    await all.viewer.setDisplays([at(1111, 751)]);
    await all.becomes("1111x751+0+0");
  });
});

test("qxl with the X driver of its name: two displays are shown, both to the viewer, and nothing is said to stay dark", async () => {
  await using all = await startHotplugGuest({ graphics: "qxl", maxOutputs: 2 }, { driver: "qxl" });
  const wanted = [at(1000, 700), at(801, 603, 1000)];
  await all.viewer.setDisplays(wanted);
  await all.becomes(...wanted.map(place));
  await until("the viewer to see both", () => viewerSees(all, "qxl", wanted, ""), 20_000, 300);
  expect(await all.log()).not.toContain("monitors.not-shown");
  // With a boot of its own.
}, 300_000);

async function viewerSees(
  { viewer }: HotplugGuest,
  graphics: "qxl" | "virtio-gpu",
  wanted: readonly WantedDisplay[],
  file: string,
): Promise<boolean> {
  const sizes = wanted.map(({ width, height }) => `${width}x${height}`).join();
  // One channel with a head each, or a channel each. Where a head lies in qxl's memory is its own affair.
  if (graphics === "qxl") return viewer.monitors.map(({ width, height }) => `${width}x${height}`).join() === sizes;
  const seen: string[] = [];
  for (const channel of wanted.keys()) {
    const { width, height } = await viewer.screenshot(file, channel);
    seen.push(`${width}x${height}`);
  }
  return seen.join() === sizes;
}

function expectApart(heads: readonly string[]): void {
  const rectangles = heads.map((head) => head.split(/[x+]/).map(Number));
  for (const [index, [aw = 0, ah = 0, ax = 0, ay = 0]] of rectangles.entries()) {
    for (const [bw = 0, bh = 0, bx = 0, by = 0] of rectangles.slice(index + 1)) {
      expect(ax + aw <= bx || bx + bw <= ax || ay + ah <= by || by + bh <= ay, heads.join(" ")).toBe(true);
    }
  }
}
