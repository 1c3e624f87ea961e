"""Prints what input devices say, a JSON object a line: input-events.py [PART-OF-NAME]

{"device": path, "name": text, "abs": {axis: [minimum, maximum]}} for each device, also for those that come later;
{"device": path, "type": n, "code": n, "value": n, "atMs": n} for each event (CLOCK_REALTIME), SYN included;
{"device": path, "gone": true}. Devices are only listened to, not grabbed.
"""

import fcntl
import glob
import json
import os
import select
import struct
import sys

EVENT = struct.Struct("@llHHi")
ABSINFO = struct.Struct("@6i")
wanted = sys.argv[1] if len(sys.argv) > 1 else ""
devices = {}  # path: (descriptor, inode), or (None, inode) for one that is not wanted


def say(**fields):
    print(json.dumps(fields), flush=True)


def ioctl_read(fd, number, size):
    return fcntl.ioctl(fd, (2 << 30) | (size << 16) | (ord("E") << 8) | number, bytes(size))


def ranges(fd):
    """EVIOCGBIT(EV_ABS), then EVIOCGABS of each axis there is."""
    bits = int.from_bytes(ioctl_read(fd, 0x20 + 3, 8), "little")
    axes = [axis for axis in range(64) if bits >> axis & 1]
    return {axis: ABSINFO.unpack(ioctl_read(fd, 0x40 + axis, ABSINFO.size))[1:3] for axis in axes}


def look():
    for path in glob.glob("/dev/input/event*"):
        try:
            inode = os.stat(path).st_ino
            if path in devices and devices[path][1] == inode:
                continue
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            continue
        name = ioctl_read(fd, 0x06, 256).rstrip(b"\0").decode()
        if wanted in name:
            devices[path] = (fd, inode)
            say(device=path, name=name, abs=ranges(fd))
        else:
            os.close(fd)
            devices[path] = (None, inode)


def read(path):
    fd, _ = devices[path]
    try:
        data = os.read(fd, EVENT.size * 64)
    except BlockingIOError:
        return
    except OSError:
        os.close(fd)
        del devices[path]
        say(device=path, gone=True)
        return
    for seconds, micros, kind, code, value in EVENT.iter_unpack(data):
        say(device=path, type=kind, code=code, value=value, atMs=seconds * 1000 + micros / 1000)


while True:
    look()
    open_now = {fd: path for path, (fd, _) in devices.items() if fd is not None}
    # 50 ms: how late a new device may be noticed.
    for fd in select.select(list(open_now), [], [], 0.05)[0]:
        read(open_now[fd])
