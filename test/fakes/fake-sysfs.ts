// The graphics cards of a machine as the kernel shows them in /sys.
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** Vendor and device on PCI. */
export const QXL = ["1b36", "0100"] as const;
export const VIRTIO = ["1af4", "1050"] as const;

export interface FakeCard {
  readonly name: string;
  /** From the PCI root to the card's function. */
  readonly pci: readonly string[];
  readonly ids: readonly [string, string];
  /** Further folders below the function, as virtio has one. */
  readonly below?: string;
  readonly connectors: readonly string[];
  readonly connectorIds?: readonly number[];
  /** Those that show something. Default: the first. */
  readonly lit?: readonly string[];
}

export class FakeSysfs {
  readonly path: string;

  /** `path` is an empty folder. */
  constructor(path: string) {
    this.path = path;
  }

  add({ name, pci, ids, below = "", connectors, connectorIds, lit = connectors.slice(0, 1) }: FakeCard): void {
    const device = `devices/${pci.join("/")}`;
    this.#write(`${device}/vendor`, `0x${ids[0]}`);
    this.#write(`${device}/device`, `0x${ids[1]}`);
    this.#write(`${device}/resource`, "0x00000000f4000000 0x00000000f7ffffff 0x0000000000040200\n0x0 0x0 0x0");
    const card = join(device, below, "drm", name);
    this.link(`class/drm/${name}`, card);
    mkdirSync(join(this.path, card), { recursive: true });
    for (const [index, connector] of connectors.entries()) {
      const path = join(card, `${name}-${connector}`);
      this.#write(`${path}/enabled`, lit.includes(connector) ? "enabled" : "disabled");
      const id = connectorIds?.[index];
      if (id !== undefined) this.#write(`${path}/connector_id`, String(id));
      this.link(`class/drm/${name}-${connector}`, path);
    }
  }

  link(from: string, to: string): void {
    const at = join(this.path, from);
    mkdirSync(dirname(at), { recursive: true });
    symlinkSync(relative(dirname(at), join(this.path, to)), at);
  }

  #write(path: string, text: string): void {
    mkdirSync(dirname(join(this.path, path)), { recursive: true });
    writeFileSync(join(this.path, path), `${text}\n`);
  }
}
