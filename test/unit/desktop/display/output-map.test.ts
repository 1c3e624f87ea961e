// Which output shows which display: trees as the kernel makes them in /sys, and names as X drivers give them.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isLit, readDrmCards } from "../../../../src/desktop/display/drm-cards.ts";
import { connectorOf, mapOutputs } from "../../../../src/desktop/display/output-map.ts";
import { refusalAdvice, unseenDisplays } from "../../../../src/desktop/display/video-memory.ts";
import type { DeviceDisplayInfo } from "../../../../src/wire/graphics-device-info.ts";
import { type FakeCard, FakeSysfs, QXL, VIRTIO } from "../../../fakes/fake-sysfs.ts";

let sys: string;
let sysfs: FakeSysfs;
beforeEach(() => {
  sys = mkdtempSync(join(tmpdir(), "sysfs-"));
  sysfs = new FakeSysfs(sys);
});
afterEach(() => rmSync(sys, { recursive: true }));

const virtio = (name: string, ...connectors: readonly string[]): FakeCard => ({
  ...{ name, pci: ["pci0000:00", "0000:00:02.0"], ids: VIRTIO, below: "virtio3", connectors },
});
const four = ["Virtual-1", "Virtual-2", "Virtual-3", "Virtual-4"];
const display = (channelId: number, monitorId: number, deviceDisplayId: number, deviceAddress: string) =>
  ({ channelId, monitorId, deviceDisplayId, deviceAddress }) satisfies DeviceDisplayInfo;
const map = (
  outputs: readonly string[],
  ...displays: readonly DeviceDisplayInfo[]
): Record<number, string | undefined> =>
  Object.fromEntries(
    [...mapOutputs(outputs, { displays }, readDrmCards(sys))].map(([id, index]) => [id, outputs[index]]),
  );

describe("row 36: the card's place and the connector's name", () => {
  test("one card of four heads, in another order", () => {
    sysfs.add(virtio("card0", ...four));
    const heads = [2, 0, 3, 1].map((head, id) => display(0, id, head, "pci/0000/02.0"));
    expect(map(four, ...heads)).toEqual({ 0: "Virtual-3", 1: "Virtual-1", 2: "Virtual-4", 3: "Virtual-2" });
  });

  test("the only card is card1", () => {
    sysfs.add(virtio("card1", ...four));
    expect(map(four, display(1, 0, 2, "pci/0000/02.0"))).toEqual({ 1: "Virtual-3" });
  });

  test("behind bridges, in another domain, spelled in capitals", () => {
    const pci = ["pci000a:00", "000a:00:02.1", "000a:01:03.0"];
    sysfs.add({ name: "card2", pci, ids: QXL, connectors: ["Virtual-1"] });
    expect(map(["Virtual-1"], display(3, 2, 0, "pci/000A/02.1/03.0"))).toEqual({ 5: "Virtual-1" });
  });

  test("two cards: names are counted over both, and the second's carry its number", () => {
    sysfs.add({ name: "card0", pci: ["pci0000:00", "0000:00:02.0"], ids: QXL, connectors: ["Virtual-1"] });
    sysfs.add({ name: "card1", pci: ["pci0000:00", "0000:00:07.0"], ids: QXL, connectors: ["Virtual-2"] });
    const both = [display(0, 0, 0, "pci/0000/07.0"), display(1, 0, 0, "pci/0000/02.0")];
    expect(map(["Virtual-1", "Virtual-1-2"], ...both)).toEqual({ 0: "Virtual-1-2", 1: "Virtual-1" });
  });

  test("X's names for the kernel's, by each of its drivers", () => {
    sysfs.add({
      name: "card0",
      pci: ["pci0000:00", "0000:00:02.0"],
      ids: QXL,
      connectors: ["HDMI-A-1", "DVI-I-1"],
      connectorIds: [31, 35],
    });
    const heads = [display(0, 0, 0, "pci/0000/02.0"), display(0, 1, 1, "pci/0000/02.0")];
    expect(map(["DVI-I-1", "HDMI-1"], ...heads)).toEqual({ 0: "HDMI-1", 1: "DVI-I-1" });
    expect(map(["DVI-1", "HDMI-1"], ...heads)).toEqual({ 0: "HDMI-1", 1: "DVI-1" });
  });

  test("an X driver of qxl that counts from 0", () => {
    sysfs.add({ name: "card0", pci: ["pci0000:00", "0000:00:02.0"], ids: QXL, connectors: ["Virtual-1", "Virtual-2"] });
    const heads = [0, 1].map((head) => display(0, head, head, "pci/0000/02.0"));
    expect(map(["Virtual-0", "Virtual-1"], ...heads)).toEqual({ 0: "Virtual-0", 1: "Virtual-1" });
  });

  test("newer kernels number connectors: that is their order", () => {
    sysfs.add({ ...virtio("card0", "Virtual-1", "Virtual-2"), connectorIds: [50, 40] });
    expect(map(four, display(0, 0, 0, "pci/0000/02.0"))).toEqual({ 0: "Virtual-2" });
  });

  test("of some that are found and some that are not, the others have no output", () => {
    sysfs.add(virtio("card0", "Virtual-1"));
    const some = [
      display(0, 0, 0, "pci/0000/02.0"),
      display(1, 0, 0, "pci/0000/09.0"),
      display(2, 0, 7, "pci/0000/02.0"),
    ];
    expect(map(["Virtual-1", "HDMI-1"], ...some)).toEqual({ 0: "Virtual-1" });
  });
});

describe("row 37: by number", () => {
  test("a card whose driver is none of the kernel's", () => {
    sysfs.add({ name: "card0", pci: ["pci0000:00", "0000:00:05.0"], ids: ["10de", "1b80"], connectors: [] });
    expect(map(["DP-0", "DP-1"], display(0, 0, 1, "pci/0000/05.0"))).toEqual({ 0: "DP-1" });
  });

  test("without a word of the host, or one that fits nothing", () => {
    sysfs.add(virtio("card0", ...four));
    expect(map(["A", "B"])).toEqual({ 0: "A", 1: "B" });
    expect(map(["A", "B"], display(0, 0, 0, "pci/0000/1f.0"), display(1, 0, 0, ""))).toEqual({ 0: "A", 1: "B" });
  });

  test("without sysfs", () => {
    rmSync(sys, { recursive: true });
    expect(map(["A"], display(0, 0, 0, "pci/0000/02.0"))).toEqual({ 0: "A" });
    mkdirSync(sys);
  });
});

describe("what is behind an output", () => {
  test("SPICE's cards are known by their numbers, and what the kernel lights is known", () => {
    sysfs.add(virtio("card1", "Virtual-1", "Virtual-2"));
    const cards = readDrmCards(sys);
    expect(cards).toMatchObject([{ name: "card1", kind: "virtio-gpu", address: "pci/0000/02.0", memoryMib: 64 }]);
    expect(cards[0]?.connectors.map(isLit)).toEqual([true, false]);
    expect(connectorOf("Virtual-2", four, cards)?.connector.typeId).toBe(2);
    expect(connectorOf("DUMMY0", ["DUMMY0"], cards)).toBeUndefined();
  });

  test("a link that leads nowhere, and a device that is not on PCI", () => {
    sysfs.link("class/drm/card0", "devices/gone/drm/card0");
    mkdirSync(join(sys, "devices/platform/simple-framebuffer.0/drm/card3"), { recursive: true });
    sysfs.link("class/drm/card3", "devices/platform/simple-framebuffer.0/drm/card3");
    expect(readDrmCards(sys)).toMatchObject([{ name: "card3", address: undefined, kind: undefined, connectors: [] }]);
  });
});

describe("what is said of a layout that the X server has refused", () => {
  const one = (width: number, height: number) => ({ heads: ["a display"], width, height });
  const large = { refused: one(3840, 2160), before: one(1024, 768), isBack: true };
  const qxl = { name: "card0", pci: ["pci0000:00", "0000:00:02.0"], ids: QXL, connectors: ["Virtual-1"] };

  test("the option of the card that is there, and what it has", () => {
    sysfs.add(qxl);
    expect(refusalAdvice(large, readDrmCards(sys))).toBe(
      "a desktop of 3840x2160 needs 31.6 MiB of video memory: QEMU's option vgamem_mb of qxl (default 16) has to be at least 32; the largest part of the card's memory is 64 MiB",
    );
  });

  test("also where nothing is known, and on virtio-gpu", () => {
    expect(refusalAdvice(large, [])).toMatch(/31\.6 MiB.*if the card is a qxl.*at least 32$/);
    sysfs.add(virtio("card0", "Virtual-1"));
    expect(refusalAdvice({ ...large, refused: one(16_000, 8000) }, readDrmCards(sys))).toMatch(
      /488\.3 MiB.*max_hostmem of virtio-gpu/,
    );
  });

  test("that memory is not the reason, where the layout before is refused as well", () => {
    sysfs.add(qxl);
    const advice = refusalAdvice({ ...large, isBack: false }, readDrmCards(sys));
    expect(advice).toMatch(/layout before as well.*not for want of video memory.*lost its devices.*log in anew$/);
    expect(advice).not.toMatch(/vgamem/);
  });

  test.each([
    ["it needs no more than the layout before", { refused: one(1600, 1200), before: one(3840, 2160), isBack: true }],
    ["QEMU gives every card as much", { refused: one(1600, 1200), before: one(1024, 768), isBack: true }],
  ])("that memory is hardly the reason, where %s", (_, refusal) => {
    sysfs.add(qxl);
    const advice = refusalAdvice(refusal, readDrmCards(sys));
    expect(advice).toMatch(/(no more video memory|QEMU gives a card 16).*log in anew$/);
    expect(advice).not.toMatch(/vgamem/);
  });

  test("qxl's driver keeps the desktop once for each display", () => {
    const refused = { ...one(2560, 1024), heads: ["one", "another"] };
    const before = one(2560, 1024);
    expect(refusalAdvice({ refused, before, isBack: true }, [])).toMatch(/no more video memory/);
    sysfs.add(qxl);
    expect(refusalAdvice({ refused, before, isBack: true }, readDrmCards(sys))).toMatch(/20\.0 MiB.*at least 32/);
  });
});

describe("displays too far right for the kernel's driver of qxl", () => {
  const row = (count: number, width: number) => ({
    heads: Array.from({ length: count }, (_, displayId) => ({
      displayId,
      x: displayId * width,
      y: 0,
      width,
      height: 480,
    })),
    width: count * width,
    height: 480,
  });

  test.each([
    ["two of 2560", 2, 2560, []],
    ["three of 1280", 3, 1280, [2]],
    ["four of 460", 4, 460, []],
    ["four of 640: seen in a guest", 4, 640, [3]],
  ])("%s", (_, count, width, expected) => {
    sysfs.add({ name: "card0", pci: ["pci0000:00", "0000:00:02.0"], ids: QXL, connectors: four });
    expect(unseenDisplays(row(count, width), readDrmCards(sys))).toEqual(expected);
  });

  test("another card has no such limit", () => {
    sysfs.add(virtio("card0", ...four));
    expect(unseenDisplays(row(4, 1920), readDrmCards(sys))).toEqual([]);
  });
});
