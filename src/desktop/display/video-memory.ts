// What a person can do when a layout is refused, and when a card has no room for it.
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

/** What of a layout decides how much memory it takes. */
export interface Needs {
  readonly heads: readonly unknown[];
  readonly width: number;
  readonly height: number;
}

export interface Refusal {
  readonly refused: Needs;
  /** What there was when it was asked for. */
  readonly before: Needs;
  /** Whether that could be had again. */
  readonly isBack: boolean;
}

/** It may be out of memory, or have lost its devices: an X server says no more than that it has failed. */
export function refusalAdvice({ refused, before, isBack }: Refusal, cards: readonly DrmCard[]): string {
  const lost = "an X server that has lost its devices, as with the system bus or logind, refuses all: log in anew";
  const kind = spiceCard(cards)?.kind;
  const usualMib = kind === "virtio-gpu" ? VIRTIO_DEFAULT_MIB : QXL_DEFAULT_MIB;
  if (!isBack) return `and the layout before as well, so it is not for want of video memory: ${lost}`;
  if (neededMib(refused, kind) <= neededMib(before, kind))
    return `it needs no more video memory than the layout before: ${lost}`;
  if (neededMib(refused, kind) <= usualMib)
    return `${needs(refused, kind)}, and QEMU gives a card ${usualMib} by itself: if that is so here, ${lost}`;
  return memoryAdvice(refused, cards);
}

/** How much a layout needs, which of QEMU's options gives it, and how much there is, where that can be read. */
function memoryAdvice(layout: Needs, cards: readonly DrmCard[]): string {
  const card = spiceCard(cards);
  const text = needs(layout, card?.kind);
  if (card?.kind === "virtio-gpu") {
    return `${text}, which QEMU's option max_hostmem of virtio-gpu limits (default ${VIRTIO_DEFAULT_MIB})`;
  }
  const least = 2 ** Math.ceil(Math.log2(neededMib(layout, card?.kind)));
  const option = `QEMU's option vgamem_mb of qxl (default ${QXL_DEFAULT_MIB}) has to be at least ${least}`;
  if (card === undefined) return `${text}: if the card is a qxl, ${option}`;
  const present =
    card.memoryMib === undefined ? "" : `; the largest part of the card's memory is ${card.memoryMib} MiB`;
  return `${text}: ${option}${present}`;
}

const spiceCard = (cards: readonly DrmCard[]): DrmCard | undefined => cards.find(({ kind }) => kind !== undefined);

function needs(layout: Needs, kind: DrmCard["kind"]): string {
  return `a desktop of ${layout.width}x${layout.height} needs ${neededMib(layout, kind).toFixed(1)} MiB of video memory`;
}

function neededMib({ heads, width, height }: Needs, kind: DrmCard["kind"]): number {
  // The kernel's driver of qxl keeps the whole desktop once for each display.
  const copies = kind === "qxl" ? heads.length : 1;
  return (width * height * copies * BYTES_PER_PIXEL) / MIB;
}
