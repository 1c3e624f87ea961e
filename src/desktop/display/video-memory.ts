// What a person can do when a card has no room for a layout.
import type { Layout } from "../../features/monitors.ts";
import type { DrmCard } from "./drm-cards.ts";

const BYTES_PER_PIXEL = 4;
const MIB = 1024 * 1024;
/** QEMU's own, MiB. */
const QXL_DEFAULT_MIB = 16;
const VIRTIO_DEFAULT_MIB = 256;

/** How much a layout needs, which of QEMU's options gives it, and how much there is, where that can be read. */
export function memoryAdvice({ heads, width, height }: Layout, cards: readonly DrmCard[]): string {
  const card = cards.find(({ kind }) => kind !== undefined);
  // The kernel's driver of qxl keeps the whole desktop once for each display.
  const copies = card?.kind === "qxl" ? heads.length : 1;
  const mib = (width * height * copies * BYTES_PER_PIXEL) / MIB;
  const needs = `a desktop of ${width}x${height} needs ${mib.toFixed(1)} MiB of video memory`;
  if (card?.kind === "virtio-gpu") {
    return `${needs}, which QEMU's option max_hostmem of virtio-gpu limits (default ${VIRTIO_DEFAULT_MIB})`;
  }
  const least = 2 ** Math.ceil(Math.log2(Math.max(mib, 1)));
  const option = `QEMU's option vgamem_mb of qxl (default ${QXL_DEFAULT_MIB}) has to be at least ${least}`;
  if (card === undefined) return `${needs}: if the card is a qxl, ${option}`;
  const present =
    card.memoryMib === undefined ? "" : `; the largest part of the card's memory is ${card.memoryMib} MiB`;
  return `${needs}: ${option}${present}`;
}
