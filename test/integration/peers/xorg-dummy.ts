/** A real Xorg without hardware: sixteen outputs DUMMY0..15, of which the first is connected. */
import { startXorg, XorgServer } from "./xorg.ts";

export interface XorgDummyOptions {
  /** Size of the first output at start, one of the driver's own modes. Default 1024x768. */
  readonly mode?: string;
  /** The largest desktop, in pixels; 8192x4096 is what the driver's video memory takes. */
  readonly maxWidth?: number;
  readonly maxHeight?: number;
}

/** Starts it; disposing leaves no process, socket, lock or file behind. Fails with the server's own words. */
export function startXorgDummy(options: XorgDummyOptions = {}): Promise<XorgServer> {
  return startXorg(
    "xorg-dummy",
    () => configuration(options),
    (dir, run) => new XorgServer(dir, run),
  );
}

function configuration({ mode = "1024x768", maxWidth = 8192, maxHeight = 4096 }: XorgDummyOptions): string {
  const videoRamKib = Math.ceil((maxWidth * maxHeight * 4) / 1024);
  return `
Section "ServerFlags"
  Option "AutoAddDevices" "False"
  Option "AutoAddGPU" "False"
EndSection
Section "Device"
  Identifier "device"
  Driver "dummy"
  VideoRam ${videoRamKib}
EndSection
Section "Monitor"
  Identifier "monitor"
  HorizSync 1.0-2000.0
  VertRefresh 1.0-200.0
EndSection
Section "Screen"
  Identifier "screen"
  Device "device"
  Monitor "monitor"
  DefaultDepth 24
  SubSection "Display"
    Depth 24
    Modes "${mode}"
    Virtual ${maxWidth} ${maxHeight}
  EndSubSection
EndSection
`;
}
