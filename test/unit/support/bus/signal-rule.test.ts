// A rule, as the bus reads it and as we do.
import { describe, expect, test } from "vitest";
import { isWanted, ruleText, type SignalRule } from "../../../../src/support/bus/signal-rule.ts";

const rule: SignalRule = { sender: "org.a", interface: "org.a.B" };
const signal = { sender: ":1.1", path: "/a/b", interface: "org.a.B", member: "Changed", body: ["x", "y"] };

test("for the bus", () => {
  expect(ruleText({ ...rule, member: "M", path: "/p" })).toBe(
    "type='signal',sender='org.a',interface='org.a.B',member='M',path='/p'",
  );
  expect(ruleText({ ...rule, pathNamespace: "/p", arg0: "it's" })).toBe(
    "type='signal',sender='org.a',interface='org.a.B',path_namespace='/p',arg0='it'\\''s'",
  );
});

describe("for what arrives", () => {
  test.each<[string, Partial<SignalRule>, boolean]>([
    ["all of an interface", {}, true],
    ["another interface", { interface: "org.a" }, false],
    ["a member", { member: "Changed" }, true],
    ["another member", { member: "Removed" }, false],
    ["a path", { path: "/a/b" }, true],
    ["another path", { path: "/a" }, false],
    ["all below a path", { pathNamespace: "/a" }, true],
    ["the path itself", { pathNamespace: "/a/b" }, true],
    ["all paths", { pathNamespace: "/" }, true],
    ["a path that only begins so", { pathNamespace: "/a/" }, false],
    ["nor so", { pathNamespace: "/a/bb" }, false],
    ["a first argument", { arg0: "x" }, true],
    ["another first argument", { arg0: "y" }, false],
  ])("%s", (_, more, wanted) => {
    expect(isWanted({ ...rule, ...more }, signal)).toBe(wanted);
  });
});
