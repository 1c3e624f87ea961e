// The graphics cards of this machine as the kernel shows them in sysfs: where they sit, and what can be plugged in.
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";

export interface DrmConnector {
  /** The kernel's word: `Virtual`, `HDMI-A`. */
  readonly type: string;
  /** Counted by type, from 1, over all cards. */
  readonly typeId: number;
  readonly id: number | undefined;
  readonly folder: string;
}

export interface DrmCard {
  /** `card1`: the first need not be `card0`, which a boot-time driver may have had. */
  readonly name: string;
  /** As in GRAPHICS_DEVICE_INFO; undefined: not on PCI. */
  readonly address: string | undefined;
  /** Cards that SPICE shows. */
  readonly kind: "qxl" | "virtio-gpu" | undefined;
  /** In the order of the device's heads. Empty: its driver is none of the kernel's. */
  readonly connectors: readonly DrmConnector[];
  /** Largest piece of memory it has on PCI. */
  readonly memoryMib: number | undefined;
}

const kinds: Readonly<Record<string, DrmCard["kind"]>> = { "1b36:0100": "qxl", "1af4:1050": "virtio-gpu" };
const PCI_ROOT = /^pci([0-9a-f]+):[0-9a-f]+$/;
const PCI_FUNCTION = /^[0-9a-f]+:[0-9a-f]+:([0-9a-f]+)\.([0-9a-f]+)$/;
/** Of a machine; far more than there ever are. */
const MAX_CARDS = 64;

/** `sys` is where sysfs is. */
export function readDrmCards(sys = "/sys"): readonly DrmCard[] {
  const folder = join(sys, "class/drm");
  const names = entries(folder);
  const cards = names.filter((name) => /^card\d+$/.test(name)).sort((a, b) => Number(a.slice(4)) - Number(b.slice(4)));
  return cards.slice(0, MAX_CARDS).flatMap((name): DrmCard[] => {
    let path: string;
    try {
      path = realpathSync(join(folder, name));
    } catch {
      // Gone since: a boot-time driver's makes way.
      return [];
    }
    const device = pciDevice(path);
    return [
      {
        name,
        address: device?.address,
        kind:
          device === undefined ? undefined : kinds[`${hex(device.folder, "vendor")}:${hex(device.folder, "device")}`],
        connectors: connectors(folder, name, names),
        memoryMib: device === undefined ? undefined : largestResourceMib(device.folder),
      },
    ];
  });
}

/** Whether the kernel shows something on it; undefined: it does not say. */
export function isLit(connector: DrmConnector): boolean | undefined {
  const enabled = read(join(connector.folder, "enabled"));
  return enabled === undefined ? undefined : enabled === "enabled";
}

function connectors(folder: string, card: string, names: readonly string[]): readonly DrmConnector[] {
  const found = names.flatMap((name): DrmConnector[] => {
    const match = /^(card\d+)-(.+)-(\d+)$/.exec(name);
    if (match === null || match[1] !== card) return [];
    const [, , type = "", typeId] = match;
    const id = read(join(folder, name, "connector_id"));
    return [
      { type, typeId: Number(typeId), id: id === undefined ? undefined : Number(id), folder: join(folder, name) },
    ];
  });
  return found.sort((a, b) => (a.id ?? 0) - (b.id ?? 0) || a.typeId - b.typeId);
}

/** The card's own function: the last on the way from the root. Bus numbers are the guest's affair and not in it. */
function pciDevice(path: string): { readonly address: string; readonly folder: string } | undefined {
  const parts = path.split("/");
  const root = parts.findIndex((part) => PCI_ROOT.test(part));
  if (root < 0) return undefined;
  const way: string[] = [];
  for (const part of parts.slice(root + 1)) {
    const match = PCI_FUNCTION.exec(part);
    if (match === null) break;
    way.push(`${match[1]}.${match[2]}`);
  }
  if (way.length === 0) return undefined;
  const domain = PCI_ROOT.exec(parts[root] ?? "")?.[1];
  return { address: ["pci", domain, ...way].join("/"), folder: parts.slice(0, root + 1 + way.length).join("/") };
}

function largestResourceMib(folder: string): number | undefined {
  const sizes = (read(join(folder, "resource")) ?? "").split("\n").map((line) => {
    const [start = 0n, end = 0n] = line.split(" ").map((word) => (/^0x[0-9a-f]+$/.test(word) ? BigInt(word) : 0n));
    return end > start ? Number((end - start + 1n) >> 20n) : 0;
  });
  return Math.max(0, ...sizes) || undefined;
}

function hex(folder: string, name: string): string {
  return (read(join(folder, name)) ?? "").replace(/^0x/, "");
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1").trim();
  } catch {
    return undefined;
  }
}

function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
