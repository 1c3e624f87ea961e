// The host's end of the port that the tests in nixos-module/tests play: the same Python, with the built agent at the other end.
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { expect, test } from "vitest";
import { startAgent } from "../peers/agent.ts";
import { makeTempDir } from "../peers/temp-dir.ts";
import { startXorgDummy } from "../peers/xorg-dummy.ts";
import { run } from "./nix.ts";

const STORY = `
import subprocess, sys
sys.path.insert(0, "nixos-module/tests")
sys.dont_write_bytecode = True
from agent_port import AgentPort

port = AgentPort(sys.argv[1], timeout=20)
assert port.announce() & 0x22 == 0x22
port.resize(1024, 768)
xclip = ["xclip", "-selection", "clipboard"]
# In the foreground it ends with its ownership: who pasted earlier would be given its text.
with subprocess.Popen(xclip + ["-i", "-quiet"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as copying:
    copying.stdin.write("from the guest: ž漢😀".encode())
    copying.stdin.close()
    assert port.paste() == "from the guest: ž漢😀"
    port.grab()
    copying.wait(20)
with subprocess.Popen(xclip + ["-o"], stdout=subprocess.PIPE) as pasting:
    port.serve("from the viewer: ž漢😀")
    assert pasting.stdout.read().decode() == "from the viewer: ž漢😀"
assert port.is_silent(0.5)
print("done")
`;

/** As QEMU does it: who opens the port, and who connects to its other end, are joined. */
async function joined(folder: string): Promise<{ port: string; end: string; servers: readonly Server[] }> {
  const sockets: Promise<Socket>[] = [];
  const servers: Server[] = [];
  const paths = ["port", "end"].map((name) => `${folder}/${name}`);
  for (const path of paths) {
    const server = createServer();
    sockets.push(once(server, "connection").then(([socket]) => socket as Socket));
    await once(server.listen(path), "listening");
    servers.push(server);
  }
  void Promise.all(sockets).then(([one, other]) => {
    if (one !== undefined && other !== undefined) one.pipe(other).pipe(one);
    for (const socket of [one, other]) socket?.on("error", () => {});
  });
  return { port: paths[0] ?? "", end: paths[1] ?? "", servers };
}

test("capabilities, a new size, text both ways", async () => {
  using folder = makeTempDir("agent-port");
  const { port, end, servers } = await joined(folder.path);
  await using xorg = await startXorgDummy();
  await using agent = await startAgent(["run", "--uinput", "none", "--port", port, "--display", xorg.display]);
  await agent.untilLogged(/display: connected/);
  const env = { ...process.env, DISPLAY: xorg.display };
  const { out, errors } = await run("python3", ["-c", STORY, end], env);
  for (const server of servers) server.close();
  expect(errors).toBe("");
  expect(out).toBe("done\n");
});
