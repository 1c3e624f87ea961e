import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { DisplayOwners } from "../../../../src/desktop/display/display-owners.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";
import { makeTempDir } from "../../../integration/peers/temp-dir.ts";

test("a bus that does not answer keeps nobody from ending", async () => {
  using dir = makeTempDir("owners");
  const path = dir.join("bus");
  const server = createServer();
  const connected = once(server, "connection");
  await once(server.listen(path), "listening");
  // Its time stands still: nothing ends by having waited long enough.
  const owners = new DisplayOwners(new ManualClock(), recordingLog().log, {
    DBUS_SESSION_BUS_ADDRESS: `unix:path=${path}`,
  });
  expect(owners.present()).toBeUndefined();
  await connected;
  await owners[Symbol.asyncDispose]();
  server.close();
});
