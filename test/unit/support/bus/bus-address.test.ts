// Where the buses are.
import { describe, expect, test } from "vitest";
import { sessionBusAddress, systemBusAddress, unixAddress } from "../../../../src/support/bus/bus-address.ts";
import { BackendError } from "../../../../src/support/errors.ts";

test("the system bus", () => {
  expect(systemBusAddress({})).toBe("unix:path=/run/dbus/system_bus_socket");
  expect(systemBusAddress({ DBUS_SYSTEM_BUS_ADDRESS: "unix:path=/s" })).toBe("unix:path=/s");
});

test("the session bus", () => {
  expect(sessionBusAddress({ XDG_RUNTIME_DIR: "/run/user/7" })).toBe("unix:path=/run/user/7/bus");
  const both = { XDG_RUNTIME_DIR: "/run/user/7", DBUS_SESSION_BUS_ADDRESS: "unix:path=/b" };
  expect(sessionBusAddress(both)).toBe("unix:path=/b");
  expect(() => sessionBusAddress({})).toThrow(BackendError);
});

describe("an address", () => {
  test.each([
    ["unix:path=/run/bus", "unix:path=/run/bus"],
    ["unix:path=/run/bus,guid=0123", "unix:path=/run/bus"],
    ["unix:guid=0123,path=/run/bus", "unix:path=/run/bus"],
    ["unix:path=/a%20b", "unix:path=/a b"],
    ["unix:abstract=/tmp/x,guid=1", "unix:abstract=/tmp/x"],
    ["tcp:host=h,port=1;unix:path=/b", "unix:path=/b"],
    ["unix:path=/a%3ab;unix:path=/b", "unix:path=/b"],
  ])("%s", (address, wanted) => {
    expect(unixAddress(address)).toBe(wanted);
  });

  test.each([
    "",
    "/run/bus",
    "unix:",
    "unix:path=",
    "unix:path=%zz",
    "unix:path=/a%00",
    "tcp:host=h,port=1",
    "unixexec:path=/bin/sh,arg1=-c",
  ])("%j is none", (address) => {
    expect(() => unixAddress(address)).toThrow(BackendError);
  });
});
