// What a person can do when a card has no room for a layout.
import type { Layout } from "../../features/monitors.ts";
import type { DrmCard } from "./drm-cards.ts";

const BYTES_PER_PIXEL = 4;
const MIB = 1024 * 1024;
/** QEMU's own, MiB. */
const QXL_DEFAULT_MIB = 16;
const VIRTIO_DEFAULT_MIB = 256;

/** The kernel's driver of qxl tells the host of no display that begins beyond this pixel of its memory. */
const QXL_LAST_COLUMN = 8192;

/**
 * Displays that the viewer does not see although all is set: qxl's driver lays one copy of the whole desktop for each
 * display side by side, and shows each display from its own.
 */
export function unseenDisplays({ heads, width }: Layout, cards: readonly DrmCard[]): readonly number[] {
  if (!cards.some(({ kind }) => kind === "qxl")) return [];
  const unseen = heads.filter(({ x }, index) => index * width + x > QXL_LAST_COLUMN);
  return unseen.map(({ displayId }) => displayId);
}

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
