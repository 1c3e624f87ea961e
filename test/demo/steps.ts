/** What the demo asks of the agent. Every step looks at both ends: the viewer's and the guest's. */
import { readFileSync, writeFileSync } from "node:fs";
import { MouseMode, type SpiceClient } from "../integration/peers/spice-client.ts";
import type { TempDir } from "../integration/peers/temp-dir.ts";
import { until } from "../integration/peers/until.ts";
import { copyFile, pasteToFile } from "../integration/peers/x-clipboard.ts";
import { pointerPosition } from "../integration/peers/x-pointer.ts";
import { readHeads } from "../integration/peers/x-screen.ts";
import { CLICKED, type GuestWindow } from "./guest-window.ts";
import type { Outcome, Step } from "./report.ts";

/** VD_AGENT_CLIPBOARD_SELECTION_CLIPBOARD and VD_AGENT_CLIPBOARD_UTF8_TEXT. */
const CLIPBOARD = 0;
const UTF8_TEXT = 1;
const LEFT = 1;

const TO_GUEST = "Grüße vom Viewer 👋🏽 – naïve café, 日本語, 👩‍👩‍👧‍👦 ✂️→📋";
const TO_VIEWER = "Antwort aus dem Gast 🐧 – ½ €, Ελληνικά, 한국어, 🏳️‍🌈";

export interface Stage {
  readonly display: string;
  readonly viewer: SpiceClient;
  /** For the texts on their way through files. */
  readonly dir: TempDir;
}

export function resize({ display, viewer }: Stage, width: number, height: number): Step {
  return {
    asked: `viewer: window resized to ${width}x${height}`,
    run: async () => {
      const { sentMs } = await viewer.setDisplays([{ width, height }]);
      const { atMs } = await viewer.waitForMonitors([{ width, height }], { sinceMs: sentMs });
      const heads = (await readHeads(display)).map((head) => `${head.width}x${head.height}`).join(" ");
      if (heads !== `${width}x${height}`) throw new Error(`the guest's X server has ${heads}`);
      return { happened: `guest's screen is ${heads}, the viewer sees it`, ms: atMs - sentMs };
    },
  };
}

export function pasteIntoGuest({ display, viewer, dir }: Stage): Step {
  return {
    asked: "viewer: text copied; guest: paste",
    run: async () => {
      writeFileSync(dir.join("to-guest"), TO_GUEST);
      await viewer.provide(CLIPBOARD, UTF8_TEXT, { mode: "data", file: dir.join("to-guest") });
      await viewer.grab(CLIPBOARD, [UTF8_TEXT]);
      // The grab travels: until it is there xclip finds no owner.
      const { ms } = await until(
        "xclip to get the text",
        () => pasteToFile(display, dir.join("in-guest"), { timeoutMs: 5000 }),
        5000,
      );
      return compared(dir.join("in-guest"), TO_GUEST, "xclip in the guest", ms);
    },
  };
}

export function copyOutOfGuest({ display, viewer, dir }: Stage): Step {
  return {
    asked: "guest: text copied; viewer: paste",
    run: async () => {
      writeFileSync(dir.join("to-viewer"), TO_VIEWER);
      viewer.events.skip();
      await using _owner = await copyFile(display, dir.join("to-viewer"));
      await viewer.waitFor("clipboard-grab", ({ selection, types }) => {
        return selection === CLIPBOARD && types.includes(UTF8_TEXT);
      });
      const { file, ms } = await viewer.request(CLIPBOARD, UTF8_TEXT, { timeoutMs: 5000 });
      return compared(file, TO_VIEWER, "the viewer", ms);
    },
  };
}

export function movePointer({ display, viewer }: Stage, x: number, y: number): Step {
  return {
    asked: `viewer: pointer moved to ${x},${y}`,
    run: async () => {
      await viewer.requestMouseMode(MouseMode.CLIENT);
      await viewer.position(x, y);
      let last = "nowhere";
      try {
        await until(
          "the pointer",
          async () => {
            const at = await pointerPosition(display);
            last = `${at.x},${at.y}`;
            return at.x === x && at.y === y;
          },
          3000,
        );
      } catch {
        throw new Error(`the guest's pointer is at ${last}`);
      }
      return { happened: `the guest's pointer is at ${last}` };
    },
  };
}

export function clickButton({ viewer }: Stage, { button, process: xmessage }: GuestWindow): Step {
  return {
    asked: `viewer: click at ${button.x},${button.y}`,
    run: async () => {
      await viewer.click(LEFT);
      const { code } = await until("xmessage in the guest to notice its button", () => xmessage.exit, 3000, 2);
      if (code !== CLICKED) throw new Error(`xmessage in the guest ended with ${code}, its button means ${CLICKED}`);
      return { happened: "xmessage in the guest: its button was pressed" };
    },
  };
}

function compared(file: string, wanted: string, reader: string, ms: number): Outcome {
  const got = readFileSync(file);
  if (!got.equals(Buffer.from(wanted))) {
    throw new Error(`${reader} reads ${got.length} bytes that are not the ${Buffer.byteLength(wanted)} copied`);
  }
  return { happened: `${reader} reads the same ${got.length} bytes: ${wanted}`, ms };
}
