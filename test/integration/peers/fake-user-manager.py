"""The user's systemd with an environment and nothing else, on a message bus: arguments are its address and NAME=value…

Says "ready" on stdout, and "asked" whenever somebody reads the environment. Each line on stdin, values separated by
tabs, is a new environment. Ends with the end of stdin.
"""

import sys

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

NODE = Gio.DBusNodeInfo.new_for_xml(
    '<node><interface name="org.freedesktop.systemd1.Manager">'
    '<property name="Environment" type="as" access="read"/></interface></node>'
)
environment = sys.argv[2:]


def environment_asked(*_):
    print("asked", flush=True)
    return GLib.Variant("as", environment)


def read_line(channel, _condition):
    line = channel.readline()
    if not line:
        loop.quit()
        return False
    environment[:] = [entry for entry in line.strip("\n").split("\t") if entry]
    print("ready", flush=True)
    return True


flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
bus = Gio.DBusConnection.new_for_address_sync(sys.argv[1], flags, None, None)
bus.register_object(
    "/org/freedesktop/systemd1",
    NODE.interfaces[0],
    None,
    environment_asked,
    None,
)
Gio.bus_own_name_on_connection(bus, "org.freedesktop.systemd1", 0, lambda *_: print("ready", flush=True), None)
loop = GLib.MainLoop()
GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IO_IN | GLib.IO_HUP, read_line)
loop.run()
