"""Runs commands for the tests: one JSON object a line on a virtio port, answers in the order in which they are ready.

{"id": n, "argv": [...], "env": {...}, "input": base64, "timeoutMs": n} is answered by {"id": n, "code": n,
"stdout": base64, "stderr": base64, "timedOut": bool} or {"id": n, "error": text}. A signal is the code 128 + n.
"""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time

port = os.open(sys.argv[1], os.O_RDWR)
writing = threading.Lock()


def send(message):
    data = memoryview(json.dumps(message).encode() + b"\n")
    with writing:
        while data:
            data = data[os.write(port, data) :]


def text(data):
    return base64.b64encode(data).decode()


def execute(argv, env, input, timeoutMs):
    child = subprocess.Popen(
        argv,
        env=env,
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    timed_out = False
    try:
        stdout, stderr = child.communicate(base64.b64decode(input), timeoutMs / 1000)
    except subprocess.TimeoutExpired:
        timed_out = True
        os.killpg(child.pid, signal.SIGKILL)
        stdout, stderr = child.communicate()
    code = child.returncode if child.returncode >= 0 else 128 - child.returncode
    return {"code": code, "stdout": text(stdout), "stderr": text(stderr), "timedOut": timed_out}


def handle(line):
    command = json.loads(line)
    number = command.pop("id")
    try:
        answer = execute(**command)
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    send({"id": number, **answer})


unread = bytearray()
while True:
    data = os.read(port, 65536)
    if not data:
        # Nobody at the other end now; a read says so at once, every time.
        time.sleep(0.1)
    unread += data
    while (end := unread.find(b"\n")) >= 0:
        line = bytes(unread[:end])
        del unread[: end + 1]
        # Not daemonic: the interpreter does not end anyway.
        threading.Thread(target=handle, args=(line,)).start()
