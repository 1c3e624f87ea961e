// A machine for which koffi has no build: what needs it says so, and what does not need it never notices.
import { Socket } from "node:net";
import { expect, test, vi } from "vitest";
import { libc } from "../../../../src/support/native/libc.ts";
import { peerCredentials } from "../../../../src/support/native/peer-credentials.ts";
import { uinputSystem } from "../../../../src/support/native/uinput.ts";
import { UinputPointer } from "../../../../src/system/pointer/uinput-pointer.ts";
import { ServiceManager } from "../../../../src/system/service-manager.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";

const load = vi.hoisted(() => vi.fn());

vi.mock("koffi", () => ({
  default: {
    load: () => {
      load();
      throw new Error("Cannot find the native Koffi module\ndid you bundle it?");
    },
  },
}));

const unavailable = {
  name: "BackendError",
  code: "native.unavailable",
  message: "koffi: Cannot find the native Koffi module",
};

// First: it must not have been asked for by then.
test("without systemd nothing is loaded", async () => {
  const manager = await ServiceManager.fromEnvironment({}, { clock: new ManualClock(), log: recordingLog().log });
  manager.ready();
  manager.status("well");
  manager.stopping();
  expect(load).not.toHaveBeenCalled();
});

test("without a device nothing is loaded", async () => {
  const { log } = recordingLog();
  await expect(new UinputPointer("/nowhere/uinput", log).open()).rejects.toMatchObject({ code: "pointer.unavailable" });
  expect(load).not.toHaveBeenCalled();
});

test("what needs it fails with a code, and it is asked for once", async () => {
  await expect(libc()).rejects.toMatchObject(unavailable);
  await expect(peerCredentials(new Socket())).rejects.toMatchObject(unavailable);
  await expect(uinputSystem().open("/dev/null")).rejects.toMatchObject(unavailable);
  const parts = { clock: new ManualClock(), log: recordingLog().log };
  await expect(ServiceManager.fromEnvironment({ NOTIFY_SOCKET: "/x" }, parts)).rejects.toMatchObject(unavailable);
  expect(load).toHaveBeenCalledTimes(1);
});

test("a pointer that cannot be had for want of it is told as any other", async () => {
  await expect(new UinputPointer("/dev/null", recordingLog().log).open()).rejects.toMatchObject({
    code: "pointer.unavailable",
    message: "/dev/null: native.unavailable: koffi: Cannot find the native Koffi module",
  });
});
