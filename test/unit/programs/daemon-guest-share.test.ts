// The guest's port at the daemon, as the host hears it.
import { connect } from "node:net";
import { expect, test } from "vitest";
import { DaemonGuestShare } from "../../../src/programs/daemon-guest-share.ts";
import { systemClock } from "../../../src/support/clock.ts";
import { toBeginAnew } from "../../../src/system/shared-folder/mux-connections.ts";
import { muxHeader } from "../../../src/wire/webdav-mux.ts";
import { recordingLog } from "../../fakes/recording-log.ts";
import { shareWire } from "../../fakes/share-wire.ts";
import { until } from "../../integration/peers/until.ts";

test("without a session a connection is refused; after a sleep the host is asked to open the port anew", async () => {
  await using wire = await shareWire();
  await using share = new DaemonGuestShare({ device: wire.guestPath, clock: systemClock, log: recordingLog().log });
  const host = connect(wire.hostPath);
  const heard: Buffer[] = [];
  host.on("data", (bytes: Buffer) => heard.push(bytes));
  const hex = (): string => Buffer.concat(heard).toString("hex");
  const closed = (id: bigint): string => Buffer.from(muxHeader(id, 0)).toString("hex");
  host.write(muxHeader(5n, 1));
  host.write("x");
  await until("the refusal", () => hex() === closed(5n), 5000, 2);
  share.beginAnew();
  await until("the word for it", () => hex() === closed(5n) + Buffer.from(toBeginAnew()).toString("hex"), 5000, 2);
  host.destroy();
  await until("the host to be gone", () => !share.report.host, 5000, 2);
  expect(share.report.connections).toBe(0);
});
