"""A notification server and a file manager on a message bus; the argument is its address.

Says "ready" on stdout, then a line of JSON for each call: {"notify": {...}} or {"show": [uri, …]}. Each line on stdin is
JSON, too: {"action": [id, key]} or {"close": [id, reason]}. Ends with the end of stdin.
"""

import json
import sys

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

NODE = Gio.DBusNodeInfo.new_for_xml(
    '<node><interface name="org.freedesktop.Notifications">'
    '<method name="GetCapabilities"><arg type="as" direction="out"/></method>'
    '<method name="Notify"><arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/>'
    '<arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="as" direction="in"/>'
    '<arg type="a{sv}" direction="in"/><arg type="i" direction="in"/><arg type="u" direction="out"/></method>'
    '<signal name="ActionInvoked"><arg type="u"/><arg type="s"/></signal>'
    '<signal name="NotificationClosed"><arg type="u"/><arg type="u"/></signal></interface>'
    '<interface name="org.freedesktop.FileManager1"><method name="ShowFolders">'
    '<arg type="as" direction="in"/><arg type="s" direction="in"/></method></interface></node>'
)
SERVER, FILES = "org.freedesktop.Notifications", "org.freedesktop.FileManager1"
PATH = "/org/freedesktop/Notifications"
last_id = 0


def say(what):
    print(json.dumps(what), flush=True)


def called(_bus, _sender, _path, _interface, method, arguments, invocation):
    global last_id
    if method == "GetCapabilities":
        invocation.return_value(GLib.Variant("(as)", (["body", "body-markup", "actions"],)))
    elif method == "Notify":
        name, replaces, icon, title, body, actions, hints, expire = arguments.unpack()
        if not replaces:
            last_id += 1
        number = replaces or last_id
        say({"notify": {"id": number, "replaces": replaces, "title": title, "body": body, "actions": actions,
                        "hints": hints, "expire": expire}})  # fmt: skip
        invocation.return_value(GLib.Variant("(u)", (number,)))
    else:
        say({"show": arguments.unpack()[0]})
        invocation.return_value(None)


def read_line(channel, _condition):
    line = channel.readline()
    if not line:
        loop.quit()
        return False
    command = json.loads(line)
    if "action" in command:
        bus.emit_signal(None, PATH, SERVER, "ActionInvoked", GLib.Variant("(us)", command["action"]))
    else:
        bus.emit_signal(None, PATH, SERVER, "NotificationClosed", GLib.Variant("(uu)", command["close"]))
    return True


flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
bus = Gio.DBusConnection.new_for_address_sync(sys.argv[1], flags, None, None)
bus.register_object(PATH, NODE.lookup_interface(SERVER), called, None, None)
bus.register_object("/org/freedesktop/FileManager1", NODE.lookup_interface(FILES), called, None, None)
owned = []


def own(_bus, name):
    owned.append(name)
    if len(owned) == 2:
        print("ready", flush=True)


for name in (SERVER, FILES):
    Gio.bus_own_name_on_connection(bus, name, 0, own, None)
loop = GLib.MainLoop()
GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IO_IN | GLib.IO_HUP, read_line)
loop.run()
