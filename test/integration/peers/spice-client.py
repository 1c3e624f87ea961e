"""A real SPICE viewer (spice-gtk) driven by JSON lines: commands on stdin, replies and events on stdout.

Command {"id": n, "cmd": name, ...}; reply {"reply": n, "sentMs": t, "atMs": t, ...} or {"reply": n, "error": text};
event {"event": name, "atMs": t, ...}. Times are CLOCK_MONOTONIC in ms. Ends with the end of stdin.

With --desktop its clipboard is that of $DISPLAY, by spice-gtk's own means, as in remote-viewer; without, the test plays it.
"""

import hashlib
import json
import os
import sys
import time
import traceback

import gi

gi.require_version("SpiceClientGLib", "2.0")
from gi.repository import Gio, GLib, GObject, SpiceClientGLib as Spice  # noqa: E402

import spice_native as native  # noqa: E402
from png import png  # noqa: E402

IS_OF_DESKTOP = "--desktop" in sys.argv
if IS_OF_DESKTOP:
    gi.require_version("Gtk", "3.0")
    gi.require_version("SpiceClientGtk", "3.0")
    from gi.repository import Gtk, SpiceClientGtk  # noqa: E402

# GLib logs part of its messages to stdout: they must not get between the lines of the protocol.
OUT = os.dup(1)
os.dup2(2, 1)


def now_ms():
    return time.monotonic() * 1000


def send(message):
    message.setdefault("atMs", now_ms())
    data = memoryview(json.dumps(message).encode() + b"\n")
    while data:
        data = data[os.write(OUT, data) :]


def event(name, **fields):
    send({"event": name, **fields})


def connect_signal(gobject, signal, handler):
    # Not gobject.connect: Session and Channel have a method of that name which opens the connection.
    return GObject.GObject.connect(gobject, signal, handler)


class Answers:
    """What this viewer answers when the guest asks for its clipboard, by (selection, type)."""

    def __init__(self):
        self.by_key = {}

    def set(self, selection, kind, mode, file, delay_ms):
        data = b""
        if mode == "data":
            with open(file, "rb") as stream:
                data = stream.read()
        self.by_key[selection, kind] = (mode, data, delay_ms)

    def give(self, main, selection, kind):
        """Answers a request now or later; returns the mode."""
        mode, data, delay_ms = self.by_key.get((selection, kind), ("none", b"", 0))
        if mode == "never":
            return mode
        answer_type = kind if mode == "data" else 0

        def answer():
            native.clipboard_notify(main, selection, answer_type, data)
            event("clipboard-answered", selection=selection, type=answer_type, bytes=len(data))
            return False

        # Never inside the signal: the event of the request has to go out first.
        GLib.timeout_add(delay_ms, answer) if delay_ms else GLib.idle_add(answer)
        return mode


class Viewer:
    def __init__(self):
        self.session = None
        self.main = None
        self.inputs = None
        self.displays = {}
        self.kept = []
        self.pending = []
        self.answers = Answers()
        self.tasks = {}
        self.main_opened = False
        self.agent_connected = False
        self.is_sharing = False

    # Connection

    def connect(
        self, host, port, maxClipboardBytes=None, align=True, position=True, sharedFolder=None, shareReadOnly=False
    ):
        if self.session is not None:
            raise ValueError("connected already")
        session = Spice.Session()
        session.set_property("host", host)
        session.set_property("port", str(port))
        for feature in ("enable-audio", "enable-usbredir", "enable-smartcard"):
            session.set_property(feature, False)
        self.is_sharing = sharedFolder is not None
        if self.is_sharing:
            session.set_property("shared-dir", sharedFolder)
            session.set_property("share-dir-ro", shareReadOnly)
        if IS_OF_DESKTOP:
            self.gtk_session = SpiceClientGtk.GtkSession.get(session)
            self.gtk_session.set_property("auto-clipboard", True)
        self.session = session
        self.main_options = {
            "max-clipboard": maxClipboardBytes,
            "disable-display-align": not align,
            "disable-display-position": not position,
        }
        connect_signal(session, "channel-new", self.on_channel)
        if not session.connect():
            raise RuntimeError("spice_session_connect failed")

    def disconnect(self):
        if self.session is not None:
            self.session.disconnect()
            # A channel that never opened does not say that it closed.
            GLib.timeout_add(0 if self.main is None or not self.main_opened else 1000, self.on_main_gone, self.session)

    def on_main_gone(self, session):
        """The main channel closed, whoever wanted it. The session's own signal waits for all references to go."""
        if session is self.session:
            session.disconnect()
            for waiting in self.pending:
                send({"reply": waiting["id"], "error": "disconnected"})
            self.session = self.main = self.inputs = None
            self.displays, self.kept, self.pending = {}, [], []
            self.main_opened = self.agent_connected = False
            event("disconnected")
        return False

    def on_channel(self, session, channel):
        if session is not self.session:
            return
        channel_id = channel.get_property("channel-id")
        if isinstance(channel, Spice.MainChannel):
            kind = "main"
            self.add_main(channel)
        elif isinstance(channel, Spice.DisplayChannel):
            kind = "display"
            self.add_display(channel, channel_id)
        elif isinstance(channel, Spice.InputsChannel):
            kind = "inputs"
            self.inputs = channel
        elif isinstance(channel, Spice.WebdavChannel) and self.is_sharing:
            kind = "webdav"
        else:
            return
        connect_signal(channel, "channel-event", lambda _, what: self.on_channel_event(session, kind, channel_id, what))
        if kind != "main":
            Spice.Channel.connect(channel)

    def on_channel_event(self, session, kind, channel_id, what):
        if session is not self.session:
            # The last words of a connection that was given up.
            return
        event("channel", type=kind, id=channel_id, state=what.value_nick)
        if kind == "main" and what == Spice.ChannelEvent.OPENED:
            self.main_opened = True
        elif kind == "main" and what != Spice.ChannelEvent.SWITCHING:
            # Not inside the channel's own signal: it is still being taken down.
            GLib.idle_add(self.on_main_gone, session)

    # Agent

    def add_main(self, main):
        self.main = main
        for name, value in self.main_options.items():
            if value is not None:
                main.set_property(name, value)
        connect_signal(main, "main-agent-update", self.on_agent)
        connect_signal(main, "main-mouse-update", lambda _: event("mouse-mode", mode=main.get_property("mouse-mode")))
        connect_signal(main, "new-file-transfer", self.on_transfer)
        if not IS_OF_DESKTOP:
            connect_signal(main, "main-clipboard-selection-request", self.on_clipboard_request)
        connect_signal(
            main,
            "main-clipboard-selection-release",
            lambda _, selection: event("clipboard-release", selection=selection),
        )
        self.kept = [
            native.on_clipboard_data(main, self.on_clipboard_data),
            native.on_clipboard_grab(
                main, lambda selection, types: event("clipboard-grab", selection=selection, types=types)
            ),
        ]

    def on_agent(self, main):
        if main is not self.main:
            return
        connected = main.get_property("agent-connected")
        # The signal comes once for the open port and once for each announcement of capabilities.
        announced = connected and self.agent_connected
        self.agent_connected = connected
        caps = main.get_property("agent-caps-0") & 0xFFFFFFFF if announced else 0
        event("agent", connected=connected, announced=announced, caps=caps)

    def test_capability(self, capability):
        return {"value": bool(self.main.agent_test_capability(capability))}

    def set_max_clipboard(self, bytes):
        self.main.set_property("max-clipboard", bytes)

    # Displays

    def add_display(self, display, channel_id):
        self.displays[channel_id] = display
        connect_signal(
            display,
            "display-primary-create",
            lambda _, form, width, height, *__: event("primary", channel=channel_id, width=width, height=height),
        )
        connect_signal(
            display, "display-primary-destroy", lambda *_: event("primary", channel=channel_id, width=0, height=0)
        )
        connect_signal(display, "notify::monitors", lambda display, _: self.on_monitors(display, channel_id))

    def on_monitors(self, display, channel_id):
        at_ms = now_ms()
        event("monitors", channel=channel_id, monitors=native.monitors(display), atMs=at_ms)

    def set_displays(self, displays, send):
        for d in displays:
            if d["enabled"]:
                self.main.update_display(d["id"], d["x"], d["y"], d["width"], d["height"], False)
            self.main.update_display_enabled(d["id"], d["enabled"], False)
        sent_ms = now_ms()
        if send and not self.main.send_monitor_config():
            raise RuntimeError("spice_main_channel_send_monitor_config failed: no agent?")
        return {"sentMs": sent_ms}

    def screenshot(self, file, channel):
        display = self.displays.get(channel)
        surface = native.primary(display) if display else None
        if surface is None:
            raise RuntimeError(f"display channel {channel} has no primary surface")
        with open(file, "wb") as stream:
            stream.write(png(*surface))
        return {"width": surface[0], "height": surface[1]}

    # Clipboard

    def clipboard_grab(self, selection, types):
        self.main.clipboard_selection_grab(selection, types)

    def clipboard_release(self, selection):
        self.main.clipboard_selection_release(selection)

    def clipboard_provide(self, selection, type, mode, file=None, delayMs=0):
        self.answers.set(selection, type, mode, file, delayMs)

    def on_clipboard_request(self, main, selection, kind):
        at_ms = now_ms()
        mode = self.answers.give(main, selection, kind)
        event("clipboard-request", selection=selection, type=kind, mode=mode, atMs=at_ms)
        return True

    def clipboard_request(self, id, selection, type, file):
        """Replies when the guest's data has come, which may be never; see `cancel`."""
        sent_ms = now_ms()
        self.pending.append({"id": id, "selection": selection, "type": type, "file": file, "sentMs": sent_ms})
        self.main.clipboard_selection_request(selection, type)

    def cancel(self, file):
        self.pending = [p for p in self.pending if p["file"] != file]

    def on_clipboard_data(self, selection, kind, address, size):
        at_ms = now_ms()
        data = native.memory(address, size)
        # Answers carry no id. NONE is the answer to any type, the oldest request first.
        waiting = next((p for p in self.pending if p["selection"] == selection and kind in (p["type"], 0)), None)
        if waiting is not None:
            self.pending.remove(waiting)
            with open(waiting["file"], "wb") as stream:
                stream.write(data)
        md5 = hashlib.md5(data).hexdigest()
        facts = {"selection": selection, "type": kind, "bytes": size, "md5": md5, "atMs": at_ms}
        if waiting is not None:
            send({"reply": waiting["id"], "sentMs": waiting["sentMs"], **facts})
        event("clipboard-data", requested=waiting is not None, **facts)

    # Files

    def drop_files(self, files):
        native.file_copy(self.main, [Gio.File.new_for_path(file) for file in files], None)

    def on_transfer(self, _, task):
        file = task.get_filename()
        self.tasks[file] = task
        connect_signal(task, "finished", lambda _, error: self.on_transferred(file, error))

    def on_transferred(self, file, error):
        # The error is a GLib.Error, and None for a file that has arrived.
        self.tasks.pop(file, None)
        event("file-finished", file=file, error=error.message if error else None)

    def cancel_files(self):
        for task in list(self.tasks.values()):
            task.cancel()

    # Pointer

    def request_mouse_mode(self, mode):
        self.main.request_mouse_mode(mode)

    def pointer_position(self, x, y, display, buttons):
        self.inputs.position(x, y, display, buttons)

    def pointer_motion(self, dx, dy, buttons):
        self.inputs.motion(dx, dy, buttons)

    def button_press(self, button, buttons):
        self.inputs.button_press(button, buttons)

    def button_release(self, button, buttons):
        self.inputs.button_release(button, buttons)


COMMANDS = {
    name: getattr(Viewer, name)
    for name in (
        "connect disconnect test_capability set_max_clipboard set_displays screenshot clipboard_grab clipboard_release "
        "clipboard_provide clipboard_request cancel drop_files cancel_files request_mouse_mode pointer_position pointer_motion button_press "
        "button_release"
    ).split()
}
NEEDS_NO_MAIN = {"connect", "disconnect", "clipboard_provide", "cancel"}


def handle(viewer, line):
    command = json.loads(line)
    number, name = command.pop("id"), command.pop("cmd")
    try:
        if name not in NEEDS_NO_MAIN and viewer.main is None:
            raise RuntimeError("not connected")
        if name == "clipboard_request":
            viewer.clipboard_request(number, **command)
            return
        sent_ms = now_ms()
        send({"reply": number, "sentMs": sent_ms, **(COMMANDS[name](viewer, **command) or {})})
    except Exception as error:  # The test gets it as the command's failure.
        traceback.print_exc()
        send({"reply": number, "error": f"{type(error).__name__}: {error}"})


def main():
    if IS_OF_DESKTOP:
        Gtk.init(None)
    loop = GLib.MainLoop()
    viewer = Viewer()
    unread = bytearray()

    def readable(fd, *_):
        data = os.read(fd, 65536)
        if not data:
            loop.quit()
            return False
        unread.extend(data)
        while (end := unread.find(b"\n")) >= 0:
            line = bytes(unread[:end])
            del unread[: end + 1]
            handle(viewer, line)
        return True

    GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT, 0, GLib.IOCondition.IN | GLib.IOCondition.HUP, readable)
    event("ready")
    loop.run()


if __name__ == "__main__":
    sys.exit(main())
