/** QEMU's command line. */
import type { TempDir } from "../integration/peers/temp-dir.ts";
import type { GuestImage } from "./image.ts";

export interface GuestOptions {
  /** Default "qxl". */
  readonly graphics?: "qxl" | "virtio-gpu";
  /** Outputs of the card. Default 1. */
  readonly maxOutputs?: number;
  /**
   * Who is at the other end of com.redhat.spice.0. "spice" (default): QEMU's SPICE server, with the port of WebDAV;
   * "qemu-vdagent": QEMU itself, with a VNC server; "socket": whoever connects to `agentSocket`, with a SPICE server that
   * knows of no agent.
   */
  readonly host?: "spice" | "qemu-vdagent" | "socket";
  /** False as a host with `agent-mouse=off`. Default true; SPICE only. */
  readonly agentMouse?: boolean;
  /** False as a host with `disable-copy-paste`. Default true; SPICE only. */
  readonly copyPaste?: boolean;
  /** An HDA card, heard and fed by the viewer with SPICE. Default none: PulseAudio then makes up a sink. */
  readonly sound?: boolean;
  /** Further virtio ports, each a unix socket QEMU listens on; see `portSocket`. */
  readonly extraPorts?: readonly string[];
  /** Files of this machine, in /mnt/packages of the guest. */
  readonly packages?: readonly string[];
  /** MiB. Default 2048. */
  readonly memory?: number;
  /** Added to the end of the command line. */
  readonly extraArgs?: readonly string[];
}

export const EXEC_PORT = "org.tsvdagent.test.0";
const AGENT_PORT = "com.redhat.spice.0";
const WEBDAV_PORT = "org.spice-space.webdav.0";

export interface Machine {
  readonly dir: TempDir;
  readonly image: GuestImage;
  readonly overlay: string;
  readonly productDisk: string;
  /** A free port of the loopback address; not used with "qemu-vdagent". */
  readonly spicePort: number;
}

export const portSocket = (dir: TempDir, port: string): string => dir.join(port);
export const vncSocket = (dir: TempDir): string => dir.join("vnc");
export const qmpSocket = (dir: TempDir): string => dir.join("qmp");
export const consoleLog = (dir: TempDir): string => dir.join("console.log");

export function qemuArguments(machine: Machine, options: GuestOptions): string[] {
  const { dir, image, overlay, productDisk } = machine;
  return [
    // Without -nodefaults there would be a floppy and a CD drive to wait for. vmport is another absolute pointer.
    ...["-nodefaults", "-no-user-config", "-machine", "pc,vmport=off", "-display", "none"],
    ...["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", String(options.memory ?? 2048)],
    ...["-kernel", image.kernel, "-initrd", image.initramfs],
    // The console is a file; nothing but the kernel's and systemd's complaints shall slow the boot down.
    ...["-append", "root=/dev/vda console=tty0 console=ttyS0 quiet net.ifnames=0 mitigations=off"],
    ...["-serial", `file:${consoleLog(dir)}`],
    ...["-drive", `file=${overlay},format=qcow2,if=virtio,cache=unsafe`],
    ...["-drive", `file=${productDisk},format=raw,if=virtio,read-only=on`],
    ...["-device", "virtio-rng-pci", "-nic", "none"],
    ...["-qmp", `unix:${qmpSocket(dir)},server=on,wait=off`],
    ...graphics(options),
    ...["-device", "virtio-serial-pci,max_ports=16"],
    ...host(machine, options),
    ...[EXEC_PORT, ...(options.extraPorts ?? [])].flatMap((name) => socketPort(dir, name)),
    ...sound(options),
    ...(options.extraArgs ?? []),
  ];
}

function graphics({ graphics = "qxl", maxOutputs = 1 }: GuestOptions): string[] {
  if (graphics === "virtio-gpu") return ["-vga", "none", "-device", `virtio-vga,max_outputs=${maxOutputs}`];
  // Four heads of 4K need more memory than the card has by itself.
  const memory = maxOutputs > 1 ? ",vgamem_mb=64,ram_size=268435456,vram_size=134217728" : "";
  return ["-vga", "none", "-device", `qxl-vga,max_outputs=${maxOutputs}${memory}`];
}

function host({ dir, spicePort }: Machine, options: GuestOptions): string[] {
  const { host = "spice", agentMouse = true, copyPaste = true } = options;
  if (host === "qemu-vdagent") {
    return [
      ...["-vnc", `unix:${vncSocket(dir)}`],
      ...["-chardev", "qemu-vdagent,id=agent,name=vdagent,clipboard=on,mouse=on", ...virtioPort("agent", AGENT_PORT)],
    ];
  }
  const spice = [
    // Loopback TCP and no unix socket: the scripted viewer takes a port.
    `port=${spicePort},addr=127.0.0.1,disable-ticketing=on`,
    `agent-mouse=${agentMouse ? "on" : "off"}`,
    `disable-copy-paste=${copyPaste ? "off" : "on"}`,
  ].join(",");
  const agent =
    host === "socket"
      ? socketPort(dir, AGENT_PORT)
      : ["-chardev", "spicevmc,id=agent,name=vdagent", ...virtioPort("agent", AGENT_PORT)];
  const webdav = ["-chardev", `spiceport,id=webdav,name=${WEBDAV_PORT}`, ...virtioPort("webdav", WEBDAV_PORT)];
  return ["-spice", spice, ...agent, ...webdav];
}

function sound({ sound = false, host = "spice" }: GuestOptions): string[] {
  if (!sound) return [];
  const driver = host === "qemu-vdagent" ? "none" : "spice";
  return ["-audiodev", `${driver},id=sound`, "-device", "intel-hda", "-device", "hda-duplex,audiodev=sound"];
}

function socketPort(dir: TempDir, name: string): string[] {
  // A chardev's id has no dots.
  const id = name.replaceAll(".", "-");
  return ["-chardev", `socket,id=${id},path=${portSocket(dir, name)},server=on,wait=off`, ...virtioPort(id, name)];
}

const virtioPort = (chardev: string, name: string): string[] => [
  "-device",
  `virtserialport,id=port-${chardev},chardev=${chardev},name=${name}`,
];
