"""A logind made of what a test says, on a message bus; driven by JSON lines: commands on stdin, replies on stdout.

Command {"id": n, "cmd": name, ...}; reply {"reply": n, ...} or {"reply": n, "error": text}. Values are GVariant text.
Ends with the end of stdin.
"""

import json
import os
import traceback

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

OUT = os.dup(1)
os.dup2(2, 1)

SERVICE = "org.freedesktop.login1"
ROOT = "/org/freedesktop/login1"
MANAGER = SERVICE + ".Manager"
SEAT = SERVICE + ".Seat"
SESSION = SERVICE + ".Session"
USER = SERVICE + ".User"
PROPERTIES = "org.freedesktop.DBus.Properties"
SEAT_PATH = ROOT + "/seat/seat0"
UNKNOWN_OBJECT = "org.freedesktop.DBus.Error.UnknownObject"

# Properties is one of them: GLib would answer in our place, and could be made neither to hang nor to lie.
INTERFACES = """
<node>
  <interface name="org.freedesktop.DBus.Properties">
    <method name="Get"><arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="v" direction="out"/></method>
    <method name="GetAll"><arg type="s" direction="in"/><arg type="a{sv}" direction="out"/></method>
  </interface>
  <interface name="org.freedesktop.login1.Manager">
    <method name="GetSession"><arg type="s" direction="in"/><arg type="o" direction="out"/></method>
    <method name="GetSessionByPID"><arg type="u" direction="in"/><arg type="o" direction="out"/></method>
    <method name="GetUser"><arg type="u" direction="in"/><arg type="o" direction="out"/></method>
    <method name="ListSessions"><arg type="a(susso)" direction="out"/></method>
  </interface>
  <interface name="org.tsvdagent.Test">
    <method name="Echo"><arg type="v" direction="in"/><arg type="v" direction="out"/></method>
  </interface>
</node>
"""
NODE = Gio.DBusNodeInfo.new_for_xml(INTERFACES)


def parse(text):
    return GLib.Variant.parse(None, text, None, None)


def label(name):
    """Escapes as sd-bus does: a digit at the beginning and whatever is no letter and no digit."""
    parts = []
    for position, byte in enumerate(name.encode()):
        plain = chr(byte).isascii() and (chr(byte).isalpha() or (chr(byte).isdigit() and position > 0))
        parts.append(chr(byte) if plain else "_%02x" % byte)
    return "".join(parts) or "_"


def session_path(name):
    return ROOT + "/session/" + label(name)


def user_path(uid):
    return ROOT + "/user/" + label(str(uid))


def reference(name, path):
    return GLib.Variant("(so)", (name, path))


class Refusal(Exception):
    def __init__(self, name, text):
        super().__init__(text)
        self.name = name


class Logind:
    def __init__(self):
        self.address = None
        self.connection = None
        self.owned = False
        self.exported = set()
        self.sessions = {}
        self.users = {}
        self.processes = {}
        self.active = None
        self.hangs = False
        self.lies = {}
        self.asked = []

    # The bus

    def connect(self, address, owned):
        flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
        self.connection = Gio.DBusConnection.new_for_address_sync(address, flags, None, None)
        self.connection.set_exit_on_close(False)
        self.exported = set()
        for path in [ROOT, SEAT_PATH, *map(session_path, self.sessions), *map(user_path, self.users)]:
            self.export(path)
        if owned:
            self.own(True)

    def export(self, path):
        if self.connection is None or path in self.exported:
            return
        self.exported.add(path)
        for interface in NODE.interfaces:
            if interface.name == PROPERTIES or path == ROOT:
                self.connection.register_object(path, interface, self.called, None, None)

    def own(self, owned):
        member, signature = ("RequestName", "(su)") if owned else ("ReleaseName", "(s)")
        arguments = (SERVICE, 4) if owned else (SERVICE,)
        (result,) = self.connection.call_sync(
            "org.freedesktop.DBus",
            "/org/freedesktop/DBus",
            "org.freedesktop.DBus",
            member,
            GLib.Variant(signature, arguments),
            None,
            Gio.DBusCallFlags.NONE,
            5000,
            None,
        ).unpack()
        if result != 1:
            raise RuntimeError(f"{member}: {result}")

    def emit(self, path, interface, member, body):
        self.connection.emit_signal(None, path, interface, member, body)
        self.connection.flush_sync(None)

    def changed(self, path, interface, values):
        self.emit(path, PROPERTIES, "PropertiesChanged", GLib.Variant("(sa{sv}as)", (interface, values, [])))

    # What is asked

    def called(self, _connection, _sender, path, _interface, member, parameters, invocation):
        if member != "Echo":
            self.asked.append({"member": member, "path": path, "arguments": parameters.unpack()})
        if self.hangs:
            return
        # Not by invocation.return_value, which holds a lie to the signature.
        question = invocation.get_message()
        try:
            reply = Gio.DBusMessage.new_method_reply(question)
            reply.set_body(self.lies.get(member) or self.answer(path, member, parameters))
        except Refusal as error:
            reply = Gio.DBusMessage.new_method_error_literal(question, error.name, str(error))
        except Exception:
            traceback.print_exc()
            reply = Gio.DBusMessage.new_method_error_literal(question, SERVICE + ".Broken", "the fake is broken")
        self.connection.send_message(reply, Gio.DBusSendMessageFlags.NONE)

    def answer(self, path, member, parameters):
        if member == "Echo":
            return parameters
        arguments = parameters.unpack()
        if member == "Get":
            values = self.properties(path)
            if arguments[1] not in values:
                raise Refusal("org.freedesktop.DBus.Error.UnknownProperty", arguments[1])
            return GLib.Variant("(v)", (values[arguments[1]],))
        if member == "GetAll":
            return GLib.Variant("(a{sv})", (self.properties(path),))
        if member == "ListSessions":
            rows = [(name, s["uid"], "user", s["seat"], session_path(name)) for name, s in self.sessions.items()]
            return GLib.Variant("(a(susso))", (rows,))
        return GLib.Variant("(o)", (self.find(member, arguments[0]),))

    def find(self, member, key):
        if member == "GetUser":
            if key not in self.users:
                raise Refusal(SERVICE + ".NoSuchUser", f"No user '{key}' known")
            return user_path(key)
        if member == "GetSession":
            if key not in self.sessions:
                raise Refusal(SERVICE + ".NoSuchSession", f"No session '{key}' known")
            return session_path(key)
        if self.processes.get(key) not in self.sessions:
            raise Refusal(SERVICE + ".NoSessionForPID", f"PID {key} does not belong to any known session")
        return session_path(self.processes[key])

    def properties(self, path):
        if path == SEAT_PATH:
            return {"Id": GLib.Variant("s", "seat0"), "ActiveSession": self.reference_to(self.active)}
        for uid, display in self.users.items():
            if path == user_path(uid):
                return {"UID": GLib.Variant("u", uid), "Display": self.reference_to(display)}
        for name in self.sessions:
            if path == session_path(name):
                return self.session_properties(name)
        raise Refusal(UNKNOWN_OBJECT, f"Unknown object '{path}'.")

    def reference_to(self, name):
        return reference("", "/") if name is None else reference(name, session_path(name))

    def session_properties(self, name):
        session = self.sessions[name]
        seat = session["seat"]
        return {
            "Id": GLib.Variant("s", name),
            "User": GLib.Variant("(uo)", (session["uid"], user_path(session["uid"]))),
            "Name": GLib.Variant("s", "user"),
            # Microseconds: a 64-bit integer, as the real one has among its properties.
            "Timestamp": GLib.Variant("t", 1700000000000000),
            "Seat": reference(seat, SEAT_PATH) if seat else reference("", "/"),
            "Remote": GLib.Variant("b", session["isRemote"]),
            "Scope": GLib.Variant("s", session["scope"]),
            "Type": GLib.Variant("s", session["type"]),
            "Class": GLib.Variant("s", session["class"]),
            "Active": GLib.Variant("b", name == self.active),
            "State": GLib.Variant("s", "active" if name == self.active else session["state"]),
            "LockedHint": GLib.Variant("b", session["lockedHint"]),
        }

    # What happens

    def cmd_connect(self, address, owned):
        self.connect(address, owned)
        return {"name": self.connection.get_unique_name()}

    def cmd_own(self, owned):
        self.own(owned)

    def cmd_add_session(self, name, session):
        self.sessions[name] = session
        self.export(session_path(name))
        self.add_user(session["uid"])
        self.emit(ROOT, MANAGER, "SessionNew", reference(name, session_path(name)))

    def add_user(self, uid):
        self.users.setdefault(uid, None)
        self.export(user_path(uid))

    def cmd_remove_session(self, name):
        del self.sessions[name]
        if self.active == name:
            self.cmd_activate(None)
        self.emit(ROOT, MANAGER, "SessionRemoved", reference(name, session_path(name)))

    def cmd_activate(self, name):
        before, self.active = self.active, name
        for changed in (before, name):
            if changed in self.sessions:
                active = GLib.Variant("b", changed == name)
                self.changed(session_path(changed), SESSION, {"Active": active})
        self.changed(SEAT_PATH, SEAT, {"ActiveSession": self.reference_to(name)})

    def cmd_locked_hint(self, name, value):
        self.sessions[name]["lockedHint"] = value
        self.changed(session_path(name), SESSION, {"LockedHint": GLib.Variant("b", value)})

    def cmd_session_signal(self, name, member):
        self.emit(session_path(name), SESSION, member, None)

    def cmd_display(self, uid, name):
        self.add_user(uid)
        self.users[uid] = name

    def cmd_process(self, pid, name):
        self.processes[pid] = name

    def cmd_signal(self, destination, path, interface, member, body):
        self.connection.emit_signal(destination, path, interface, member, parse(body))
        self.connection.flush_sync(None)

    def cmd_call(self, destination, path, interface, member):
        try:
            result = self.connection.call_sync(
                destination, path, interface, member, None, None, Gio.DBusCallFlags.NONE, 5000, None
            )
            return {"result": str(result)}
        except GLib.Error as error:
            return {"refusal": Gio.DBusError.get_remote_error(error)}

    def cmd_hang(self, value):
        self.hangs = value

    def cmd_lie(self, member, body):
        if body is None:
            self.lies.pop(member, None)
        else:
            self.lies[member] = parse(body)

    def cmd_asked(self):
        asked, self.asked = self.asked, []
        return {"asked": asked}


def send(message):
    data = memoryview(json.dumps(message).encode() + b"\n")
    while data:
        data = data[os.write(OUT, data) :]


def obey(logind, line):
    command = json.loads(line)
    number, name = command.pop("id"), command.pop("cmd")
    try:
        send({"reply": number, **(getattr(logind, "cmd_" + name)(**command) or {})})
    except Exception as error:
        traceback.print_exc()
        send({"reply": number, "error": str(error)})


def main():
    logind = Logind()
    loop = GLib.MainLoop()
    unread = bytearray()

    def read(fd, _condition):
        data = os.read(fd, 65536)
        if not data:
            loop.quit()
            return GLib.SOURCE_REMOVE
        unread.extend(data)
        while b"\n" in unread:
            line, _, rest = unread.partition(b"\n")
            unread[:] = rest
            obey(logind, line)
        return GLib.SOURCE_CONTINUE

    GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT, 0, GLib.IOCondition.IN | GLib.IOCondition.HUP, read)
    loop.run()


main()
