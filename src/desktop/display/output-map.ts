// Which output of the X server shows which SPICE display: by the card's place on PCI and the connector's name.
import type { GraphicsDeviceInfo } from "../../wire/graphics-device-info.ts";
import type { DrmCard, DrmConnector } from "./drm-cards.ts";

/** Names that X drivers have for the kernel's types, where they differ. */
const modesettingNames: Readonly<Record<string, string>> = { "HDMI-A": "HDMI" };
const qxlNames: Readonly<Record<string, string>> = {
  "DVI-I": "DVI",
  "DVI-D": "DVI",
  "DVI-A": "DVI",
  SVIDEO: "S-video",
  Component: "CTV",
  DP: "DisplayPort",
  "HDMI-A": "HDMI",
  "HDMI-B": "HDMI",
};

/**
 * Index of the output by display id. Without a word of the host, or where nothing of it can be found, a display is the
 * output of the same index; where some are found, the others have none.
 */
export function mapOutputs(
  outputs: readonly string[],
  info: GraphicsDeviceInfo | undefined,
  cards: readonly DrmCard[],
): ReadonlyMap<number, number> {
  const map = new Map<number, number>();
  const address = (text: string): string => text.toLowerCase();
  for (const { channelId, monitorId, deviceAddress, deviceDisplayId } of info?.displays ?? []) {
    const card = cards.find((one) => one.address !== undefined && address(one.address) === address(deviceAddress));
    if (card === undefined) continue;
    const index = outputOf(card, deviceDisplayId, outputs);
    if (index !== undefined) map.set(channelId + monitorId, index);
  }
  return map.size > 0 ? map : new Map(outputs.map((_, index) => [index, index]));
}

/** The card and connector behind an output; undefined: the X server's driver has made it up. */
export function connectorOf(
  output: string,
  outputs: readonly string[],
  cards: readonly DrmCard[],
): { readonly card: DrmCard; readonly connector: DrmConnector } | undefined {
  for (const card of cards) {
    for (const connector of card.connectors) if (isOutput(output, connector, card, outputs)) return { card, connector };
  }
  return undefined;
}

function outputOf(card: DrmCard, head: number, outputs: readonly string[]): number | undefined {
  // A driver that is none of the kernel's: all outputs are its own.
  if (card.connectors.length === 0) return head < outputs.length ? head : undefined;
  const connector = card.connectors[head];
  if (connector === undefined) return undefined;
  const index = outputs.findIndex((name) => isOutput(name, connector, card, outputs));
  return index < 0 ? undefined : index;
}

function isOutput(name: string, { type, typeId }: DrmConnector, card: DrmCard, outputs: readonly string[]): boolean {
  const forQxl = card.kind === "qxl" ? (qxlNames[type] ?? type) : undefined;
  // The older X driver of the card counts from 0.
  if (card.kind === "qxl" && outputs.includes("Virtual-0")) return name === `${forQxl}-${typeId - 1}`;
  if (name === `${forQxl}-${typeId}`) return true;
  // A second card's outputs have its number between type and number.
  const match = /^(.+?)-(?:\d+-)?(\d+)$/.exec(name);
  return match !== null && match[1] === (modesettingNames[type] ?? type) && Number(match[2]) === typeId;
}
