// Pictures between applications on a real X server and a played viewer: as they are, and as PNG for who takes nothing else.
import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ClipboardType } from "../../src/wire/agent-constants.ts";
import type { FakeHost } from "../fakes/fake-host.ts";
import { type HostSocket, hostSocket } from "../fakes/host-socket.ts";
import { hostilePictures } from "../fakes/hostile-pictures.ts";
import { type Agent, startAgent } from "./peers/agent.ts";
import { makeGif, makePicture, type PictureFormat, pictureDifference } from "./peers/pixbuf.ts";
import { makeTempDir, type TempDir } from "./peers/temp-dir.ts";
import { until } from "./peers/until.ts";
import { clipboardTargets, copyFile, pasteToFile } from "./peers/x-clipboard.ts";
import { startXorgDummy } from "./peers/xorg-dummy.ts";

const { UTF8_TEXT: TEXT, IMAGE_PNG: PNG, IMAGE_BMP: BMP, IMAGE_TIFF: TIFF, IMAGE_JPG: JPG, NONE } = ClipboardType;

const formats: readonly (readonly [PictureFormat, number])[] = [
  ["png", PNG],
  ["bmp", BMP],
  ["tiff", TIFF],
  ["jpeg", JPG],
];

let xorg: Awaited<ReturnType<typeof startXorgDummy>>;
let port: HostSocket;
let agent: Agent;
let host: FakeHost;
let folder: TempDir;
/** Both sides count grabs alike; see section 3.4 of the protocol. */
let serial = 0;

beforeAll(async () => {
  folder = makeTempDir("clipboard-images");
  xorg = await startXorgDummy();
  port = await hostSocket();
  agent = await startAgent(["run", "--uinput", "none", "--port", port.path, "--display", xorg.display]);
  host = await port.opened();
  await agent.untilLogged(/display: connected/);
  for (const [format] of formats) await makePicture(folder.join(format), format, 333, 77);
});

/** Every test has a viewer of its own, which has seen nothing of the one before. */
beforeEach(async () => {
  host.disconnectViewer();
  await until("nobody to own the clipboard", async () => (await clipboardTargets(xorg.display)).length === 0, 20_000);
  await host.connectViewer();
  serial = 0;
});

afterAll(async () => {
  await agent?.[Symbol.asyncDispose]();
  await port?.[Symbol.asyncDispose]();
  await xorg?.[Symbol.asyncDispose]();
  folder?.[Symbol.dispose]();
});

/** An application copies the file's bytes as that target; the types that the viewer is told. */
async function copied(file: string, target: string) {
  const owner = await copyFile(xorg.display, file, { target });
  const grab = await host.next("CLIPBOARD_GRAB");
  serial += 1;
  return { owner, types: grab.value.types };
}

async function viewerPastes(type: number) {
  host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type } });
  const { value, data } = await host.next("CLIPBOARD", 30_000);
  return { type: value.type, data };
}

async function viewerCopies(types: readonly number[], target: string): Promise<void> {
  host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial, types: [...types] } });
  serial += 1;
  await until("it to be on offer", async () => (await clipboardTargets(xorg.display)).includes(target), 5000);
}

/** An application pastes the target, and the viewer answers what it is asked for with the file's bytes. */
async function pasted(target: string, asked: number, file: string): Promise<string> {
  const to = folder.join("pasted");
  const answer = async (): Promise<void> => {
    const { value } = await host.next("CLIPBOARD_REQUEST");
    expect(value).toEqual({ selection: 0, type: asked });
    host.send({ name: "CLIPBOARD", value }, { data: await readFile(file) });
  };
  await Promise.all([answer(), pasteToFile(xorg.display, to, { target, timeoutMs: 20_000 })]);
  return to;
}

describe.each(formats)("%s", (format, type) => {
  test("row 44: a copied one is given byte for byte, and as PNG to whoever takes no other", async () => {
    const { owner, types } = await copied(folder.join(format), `image/${format}`);
    await using _ = owner;
    expect(types).toEqual(type === PNG ? [PNG] : [PNG, type]);
    const same = await viewerPastes(type);
    expect(same.type).toBe(type);
    expect((await readFile(folder.join(format))).equals(same.data)).toBe(true);
    const png = await viewerPastes(PNG);
    expect(png.type).toBe(PNG);
    await writeFile(folder.join("converted"), png.data);
    expect((await readFile(folder.join("converted"))).subarray(1, 4).toString()).toBe("PNG");
    // Decoders of JPEG round differently.
    expect(await pictureDifference(folder.join("converted"), folder.join(format))).toBeLessThanOrEqual(
      format === "jpeg" ? 6 : 0,
    );
  });

  test("row 44: the viewer's is pasted byte for byte, and as PNG into whoever takes no other", async () => {
    await viewerCopies([type], `image/${format}`);
    const same = await pasted(`image/${format}`, type, folder.join(format));
    expect((await readFile(same)).equals(await readFile(folder.join(format)))).toBe(true);
    expect(await clipboardTargets(xorg.display)).toContain("image/png");
    const png = await pasted("image/png", type, folder.join(format));
    expect((await readFile(png)).subarray(1, 4).toString()).toBe("PNG");
    expect(await pictureDifference(png, folder.join(format))).toBeLessThanOrEqual(format === "jpeg" ? 6 : 0);
  });
});

test("row 44: a copied GIF, for which viewers have no type, is given as PNG", async () => {
  const file = folder.join("gif");
  await makeGif(file, 300, 200);
  const { owner, types } = await copied(file, "image/gif");
  await using _ = owner;
  expect(types).toEqual([PNG]);
  const png = await viewerPastes(PNG);
  expect(png.type).toBe(PNG);
  await writeFile(folder.join("converted"), png.data);
  expect((await readFile(folder.join("converted"))).subarray(1, 4).toString()).toBe("PNG");
  expect(await pictureDifference(folder.join("converted"), file)).toBe(0);
});

test("a picture with text beside it is offered as both", async () => {
  await viewerCopies([TEXT, BMP], "image/bmp");
  const targets = await clipboardTargets(xorg.display);
  for (const target of ["UTF8_STRING", "image/png", "image/bmp", "image/x-MS-bmp"]) expect(targets).toContain(target);
});

test.each([
  ["is none", Buffer.from("BM, or so it says, but that is all of it, and no picture follows at all")],
  ["says that it has four thousand million pixels", hugeBmp()],
  ["is a TIFF that is cut off", Buffer.from("49492a0008000000ffff", "hex")],
])(
  "a copied picture that %s: its PNG is answered NONE, its bytes are given, and the next is converted",
  async (_, data) => {
    const file = folder.join("hostile");
    await writeFile(file, data);
    const refusals = (): number => agent.logged.split("could not give its content: clipboard.image-refused").length - 1;
    const before = refusals();
    {
      const { owner } = await copied(file, "image/bmp");
      await using _owner = owner;
      expect((await viewerPastes(PNG)).type).toBe(NONE);
      expect(data.equals((await viewerPastes(BMP)).data)).toBe(true);
      await until("the refusal in the log", () => refusals() > before, 20_000);
    }
    const { owner } = await copied(folder.join("bmp"), "image/bmp");
    await using _owner = owner;
    expect((await viewerPastes(PNG)).type).toBe(PNG);
  },
);

test.each(hostilePictures)("%s is answered NONE, and the next picture is converted", async (_, target, data) => {
  const file = folder.join("hostile");
  await writeFile(file, data);
  {
    const { owner } = await copied(file, target);
    await using _owner = owner;
    expect((await viewerPastes(PNG)).type).toBe(NONE);
  }
  const { owner } = await copied(folder.join("bmp"), "image/bmp");
  await using _owner = owner;
  expect((await viewerPastes(PNG)).type).toBe(PNG);
});

test("a viewer's picture that is none is refused to who wants it as PNG", async () => {
  await viewerCopies([BMP], "image/png");
  await writeFile(folder.join("nonsense"), "BM nonsense");
  await expect(pasted("image/png", BMP, folder.join("nonsense"))).rejects.toThrow(/not available/);
});

function hugeBmp(): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.write("BM");
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(65535, 18);
  bytes.writeInt32LE(65535, 22);
  bytes.writeUInt16LE(24, 28);
  return bytes;
}
