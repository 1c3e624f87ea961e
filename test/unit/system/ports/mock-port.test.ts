// The daemon's channel on `serialport`'s own mock: the same stream class as on a real device, over a binding in memory.
import { once } from "node:events";
import { SerialPortMock } from "serialport";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentChannel, type AgentChannelHandlers } from "../../../../src/system/agent-channel.ts";
import type { OpenPort } from "../../../../src/system/ports/port.ts";
import { encodeChunks } from "../../../../src/wire/agent-frame.ts";
import type { AgentMessage } from "../../../../src/wire/catalogue.ts";
import { bareLayout } from "../../../../src/wire/codec.ts";
import { settled } from "../../../fakes/daemon.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";

const path = "/dev/virtio-ports/mock";
const patiently = { timeout: 20_000 };
const announce = { name: "ANNOUNCE_CAPABILITIES", value: { request: true, words: [0] } } as const;

beforeEach(() => SerialPortMock.binding.createPort(path, { record: true }));
afterEach(() => SerialPortMock.binding.reset());

interface Opened extends OpenPort {
  readonly stream: SerialPortMock;
}

async function openMock(): Promise<Opened> {
  const stream = new SerialPortMock({ path, baudRate: 115200, autoOpen: false });
  await new Promise<void>((resolve, reject) => stream.open((error) => (error ? reject(error) : resolve())));
  return {
    stream,
    [Symbol.asyncDispose]: async () => {
      if (!stream.isOpen) return;
      const closed = once(stream, "close");
      stream.close();
      await closed;
    },
  };
}

function channelOn(messages: AgentMessage[]) {
  const opened: Opened[] = [];
  const clock = new ManualClock();
  const handlers: AgentChannelHandlers = {
    opened: () => {},
    closed: () => {},
    message: (message) => messages.push(message),
    body: () => undefined,
    undecodable: () => {},
    layout: () => bareLayout,
  };
  const open = async (): Promise<OpenPort> => {
    const port = await openMock();
    opened.push(port);
    return port;
  };
  const channel = new AgentChannel(open, handlers, clock, recordingLog().log);
  channel.start();
  return { channel, opened, clock };
}

test("what the host writes into a serial port arrives as messages, however it is cut", async () => {
  const messages: AgentMessage[] = [];
  const { channel, opened } = channelOn(messages);
  await using _ = channel;
  await settled(50);
  for (const chunk of encodeChunks(1, announce, bareLayout)) {
    for (const byte of chunk) opened[0]?.stream.port?.emitData(Buffer.of(byte));
  }
  await expect.poll(() => messages, patiently).toEqual([announce]);
});

test("what the agent says is written to the serial port, framed", async () => {
  const { channel, opened } = channelOn([]);
  await using _ = channel;
  await settled(50);
  channel.send({ name: "REPLY", value: { type: 2, error: 1 } });
  const expected = "010000001c000000010000000300000000000000000000000800000002000000" + "01000000";
  await expect.poll(() => opened[0]?.stream.port?.recording.toString("hex"), patiently).toBe(expected);
});

test("a serial port that is unplugged is opened again", async () => {
  const { channel, opened, clock } = channelOn([]);
  await using _ = channel;
  await settled(50);
  opened[0]?.stream.close();
  await settled(50);
  expect(opened).toHaveLength(1);
  clock.advance(50);
  await expect.poll(() => opened, patiently).toHaveLength(2);
});
