// What is asked of the viewer's server, where it cannot be.
import { expect, test } from "vitest";
import { MAX_CONNECTIONS, MuxConnections, takesAll } from "../../../../src/system/shared-folder/mux-connections.ts";
import { isReadOnly } from "../../../../src/system/shared-folder/share-questions.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";

test("a viewer that cannot be asked, as all connections are open, is not said to be silent", async () => {
  const line = { write: () => true, taken: 0, drained: async () => {}, pause: () => {}, resume: () => {} };
  let lastId = 0n;
  const mux = new MuxConnections(line, () => ++lastId, recordingLog().log);
  for (let number = 0; number < MAX_CONNECTIONS; number += 1)
    mux.open({ data: () => {}, closed: () => {}, ...takesAll });
  await expect(isReadOnly(mux, new ManualClock(), new AbortController().signal)).rejects.toMatchObject({
    code: "shared-folder.too-many",
  });
});
