"""The host's end of the agent's port: as much of the protocol as the tests need."""

import socket
import struct
import time

VDP_CLIENT_PORT = 1
PROTOCOL = 1
MONITORS_CONFIG = 2
REPLY = 3
CLIPBOARD = 4
ANNOUNCE_CAPABILITIES = 6
CLIPBOARD_GRAB = 7
CLIPBOARD_REQUEST = 8
TEXT = 1
# Mouse, monitors, reply, clipboard by demand and with selection.
OUR_CAPABILITIES = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 5 | 1 << 6


class AgentPort:
    def __init__(self, path, timeout=60):
        self.timeout = timeout
        self.data = b""
        self.body = b""
        self.messages = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))

    def send(self, kind, body=b""):
        message = struct.pack("<IIQI", PROTOCOL, kind, 0, len(body)) + body
        for start in range(0, len(message), 2048):
            chunk = message[start : start + 2048]
            self.socket.sendall(struct.pack("<II", VDP_CLIENT_PORT, len(chunk)) + chunk)

    def receive(self, seconds):
        """Takes in what comes within that time, at most once."""
        self.socket.settimeout(max(seconds, 0.01))
        try:
            data = self.socket.recv(65536)
        except socket.timeout:
            return
        if data == b"":
            raise EOFError("the port was closed")
        self.data += data
        while len(self.data) >= 8:
            size = struct.unpack_from("<I", self.data, 4)[0]
            if len(self.data) < 8 + size:
                break
            self.body += self.data[8 : 8 + size]
            self.data = self.data[8 + size :]
        while len(self.body) >= 20:
            _, kind, _, size = struct.unpack_from("<IIQI", self.body)
            if len(self.body) < 20 + size:
                break
            self.messages.append((kind, self.body[20 : 20 + size]))
            self.body = self.body[20 + size :]

    def expect(self, wanted, matches=lambda body: True):
        """The body of the next message of that kind; what comes before it is dropped."""
        end = time.monotonic() + self.timeout
        while time.monotonic() < end:
            while self.messages:
                kind, body = self.messages.pop(0)
                if kind == wanted and matches(body):
                    return body
            self.receive(end - time.monotonic())
        raise TimeoutError(f"no message of type {wanted}")

    def is_silent(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.messages:
            self.receive(end - time.monotonic())
        return not self.messages

    def announce(self):
        """As a viewer that has just come; the guest's capabilities are the answer."""
        self.send(ANNOUNCE_CAPABILITIES, struct.pack("<II", 1, OUR_CAPABILITIES))
        body = self.expect(ANNOUNCE_CAPABILITIES)
        return struct.unpack_from("<I", body, 4)[0]

    def resize(self, width, height):
        self.send(MONITORS_CONFIG, struct.pack("<IIIIIii", 1, 0, height, width, 32, 0, 0))
        kind, error = struct.unpack("<II", self.expect(REPLY))
        assert (kind, error) == (MONITORS_CONFIG, 1), f"reply {kind}: {error}"

    def grab(self):
        """The viewer has copied text."""
        self.send(CLIPBOARD_GRAB, struct.pack("<B3xI", 0, TEXT))

    def serve(self, text):
        """Gives it to the next who pastes."""
        body = self.expect(CLIPBOARD_REQUEST)
        assert struct.unpack_from("<B3xI", body) == (0, TEXT)
        self.send(CLIPBOARD, struct.pack("<B3xI", 0, TEXT) + text.encode())

    def paste(self):
        """What the guest has copied, once it has."""
        self.expect(CLIPBOARD_GRAB, lambda body: body[0] == 0)
        self.send(CLIPBOARD_REQUEST, struct.pack("<B3xI", 0, TEXT))
        return self.expect(CLIPBOARD)[8:].decode()
