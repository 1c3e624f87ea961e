// Who is shown which of the last faults.
import { expect, test } from "vitest";
import { RecentFaults } from "../../../src/support/recent-faults.ts";

test("one's own faults and, on the screen, those of nobody in particular; another's are for root", () => {
  const faults = new RecentFaults();
  faults.add("port lost", undefined);
  faults.add("session 5 refused", 1001);
  faults.add("session 6 refused", 1002);
  const shown = (uid: number, isOnScreen: boolean): string[] => faults.for(uid, isOnScreen).map(({ text }) => text);
  expect(shown(1001, true)).toEqual(["port lost", "session 5 refused"]);
  expect(shown(1002, false)).toEqual(["session 6 refused"]);
  expect(shown(1003, false)).toEqual([]);
  expect(shown(0, false)).toEqual(["port lost", "session 5 refused", "session 6 refused"]);
});
