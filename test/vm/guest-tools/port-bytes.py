"""Opens a virtio port, writes some bytes, prints what comes in: port-bytes.py PATH SECONDS [HEX-TO-WRITE]

Prints the first bytes that come, in hexadecimal, and ends with 0; with 1 if none come in that time.
"""

import os
import select
import sys
import time

port = os.open(sys.argv[1], os.O_RDWR | os.O_NONBLOCK)
os.write(port, bytes.fromhex(sys.argv[3] if len(sys.argv) > 3 else ""))
deadline = time.monotonic() + float(sys.argv[2])
while (left := deadline - time.monotonic()) > 0:
    if not select.select([port], [], [], left)[0]:
        break
    data = os.read(port, 4096)
    if data:
        print(data.hex())
        sys.exit(0)
    # Readable and empty: nobody at the other end yet.
    time.sleep(0.05)
sys.exit(1)
