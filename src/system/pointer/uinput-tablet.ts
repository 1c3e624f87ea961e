// The pointer as the kernel is told of it: an absolute device with five buttons and a wheel, by linux/uinput.h.
import type { UinputSystem } from "../../support/native/uinput.ts";

/** linux/uinput.h; the number holds the size of the argument. */
const UI_DEV_CREATE = 0x5501;
const UI_DEV_DESTROY = 0x5502;
const UI_DEV_SETUP = 0x405c_5503;
const UI_ABS_SETUP = 0x401c_5504;
const UI_SET_EVBIT = 0x4004_5564;
const UI_SET_KEYBIT = 0x4004_5565;
const UI_SET_RELBIT = 0x4004_5566;
const UI_SET_ABSBIT = 0x4004_5567;
const UI_GET_VERSION = 0x8004_552d;

/** linux/input-event-codes.h */
const EV_KEY = 1;
const EV_REL = 2;
const EV_ABS = 3;
/** BTN_LEFT, RIGHT, MIDDLE, SIDE, EXTRA */
const buttons = [0x110, 0x111, 0x112, 0x113, 0x114];
const REL_WHEEL = 8;
const ABS_X = 0;
const ABS_Y = 1;

/** As upstream: GDK takes an absolute device for a touch screen unless it knows its name. */
const NAME = "spice vdagent tablet";

export interface TabletRange {
  readonly widthPx: number;
  readonly heightPx: number;
}

/** Throws what the system throws if this descriptor is not one of uinput. */
export function checkUinput(system: UinputSystem, fd: number): void {
  system.ioctlBuffer(fd, UI_GET_VERSION, Buffer.alloc(4));
}

/**
 * The largest position the device announces for so many pixels: one less than it will say. libinput spreads positions over
 * 1 + maximum steps, and X cuts off what is behind the point: with the true maximum every pixel but the first arrives as
 * the one before it (641 of 2084 as 640.99), which at an edge is on another monitor. So each arrives as itself and less
 * than one, and the last is clamped to itself.
 */
function announcedMaximum(sizePx: number): number {
  return Math.max(1, sizePx - 2);
}

/**
 * On a descriptor that has none: positions from 0 to the size less one. Throws what the system throws.
 * INPUT_PROP_DIRECT stays unset: with it the device would be a touch screen.
 */
export function createTablet(system: UinputSystem, fd: number, { widthPx, heightPx }: TabletRange): void {
  system.ioctlInt(fd, UI_SET_EVBIT, EV_KEY);
  for (const button of buttons) system.ioctlInt(fd, UI_SET_KEYBIT, button);
  system.ioctlInt(fd, UI_SET_EVBIT, EV_REL);
  system.ioctlInt(fd, UI_SET_RELBIT, REL_WHEEL);
  system.ioctlInt(fd, UI_SET_EVBIT, EV_ABS);
  system.ioctlInt(fd, UI_SET_ABSBIT, ABS_X);
  system.ioctlInt(fd, UI_SET_ABSBIT, ABS_Y);
  system.ioctlBuffer(fd, UI_DEV_SETUP, deviceSetup());
  system.ioctlBuffer(fd, UI_ABS_SETUP, axisSetup(ABS_X, announcedMaximum(widthPx)));
  system.ioctlBuffer(fd, UI_ABS_SETUP, axisSetup(ABS_Y, announcedMaximum(heightPx)));
  system.ioctlInt(fd, UI_DEV_CREATE, 0);
}

/** The kernel lets go of what was pressed. Afterwards the same descriptor can make another. */
export function destroyTablet(system: UinputSystem, fd: number): void {
  system.ioctlInt(fd, UI_DEV_DESTROY, 0);
}

/** `struct uinput_setup`: bus, vendor, product, version (all zero, as upstream), name[80], force feedback effects. */
function deviceSetup(): Buffer {
  const bytes = Buffer.alloc(92);
  bytes.write(NAME, 8, "latin1");
  return bytes;
}

/** `struct uinput_abs_setup`: code, two bytes of padding, value, minimum, maximum, fuzz, flat, resolution. */
function axisSetup(code: number, maximum: number): Buffer {
  const bytes = Buffer.alloc(28);
  bytes.writeUInt16LE(code, 0);
  bytes.writeInt32LE(maximum, 12);
  return bytes;
}
