{ pkgs, ... }:
{
  name = "tsvdagent-webdav";

  nodes.machine = {
    imports = [ ./guest.nix ];
    environment.systemPackages = [ pkgs.curl ];
  };

  # Frames on this port: an id of 8 bytes, a size of 2, that many bytes; none of them ends the connection.
  testScript = ''
    import socket
    import struct
    import threading

    def serve(path):
        "Answers every request of every connection with the same folder."
        end = socket.socket(socket.AF_UNIX)
        end.connect(str(path))
        stream = end.makefile("rwb", buffering=0)
        requests = {}
        body = (
            b'<?xml version="1.0"?><D:multistatus xmlns:D="DAV:"><D:response><D:href>/</D:href><D:propstat><D:prop>'
            b"<D:resourcetype><D:collection/></D:resourcetype></D:prop><D:status>HTTP/1.1 200 OK</D:status>"
            b"</D:propstat></D:response></D:multistatus>"
        )
        answer = b"HTTP/1.1 207 Multi-Status\r\nContent-Type: application/xml\r\nDAV: 1,2\r\nContent-Length: %d\r\n\r\n" % len(body)
        while True:
            head = stream.read(10)
            if not head:
                return
            client, size = struct.unpack("<qH", head)
            data = b""
            while len(data) < size:
                data += stream.read(size - len(data))
            requests[client] = requests.get(client, b"") + data
            if b"\r\n\r\n" in requests[client]:
                requests[client] = b""
                reply = answer + body
                stream.write(struct.pack("<qH", client, len(reply)) + reply)

    start_all()
    machine.wait_for_unit("tsvdagent.service", "alice")
    threading.Thread(target=serve, args=(machine.state_dir / "webdav.sock",), daemon=True).start()

    with subtest("the viewer's folder is served to the user on the screen"):
        machine.wait_until_succeeds("su - alice -c 'curl -sf -X PROPFIND -H \"Depth: 0\" http://127.0.0.1:9843/' | grep -q collection")

    with subtest("and is mounted in their home"):
        machine.wait_until_succeeds("findmnt /home/alice/Shared")

    with subtest("but not to anybody else"):
        machine.fail("su nobody -s /bin/sh -c 'curl -sf -X PROPFIND http://127.0.0.1:9843/'")
  '';
}
