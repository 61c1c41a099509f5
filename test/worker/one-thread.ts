/** Both ends of a channel in one thread. */
import type {
  ChannelEnd,
  ChannelOptions,
  EndOptions,
  MessageEncoder,
  MessageReader,
} from "../../src/worker/channel.ts";
import { createChannel, joinChannel } from "../../src/worker/create-channel.ts";

export interface BothEnds {
  readonly here: ChannelEnd;
  readonly there: ChannelEnd;
  readonly encoder: MessageEncoder;
  readonly messages: MessageReader;
  readonly memory: SharedArrayBuffer;
}

export function bothEnds(options: ChannelOptions & EndOptions = {}): BothEnds {
  const { end: here, encoder, memory } = createChannel(options);
  const { end: there, messages } = joinChannel(memory, options);
  return { here, there, encoder, messages, memory };
}

/** Sends one frame that holds a number and some bytes. */
export function send(end: ChannelEnd, kind: number, number: number, byteLength = 0): void {
  const frame = end.begin(kind);
  frame.u32(number);
  frame.bytes(new Uint8Array(byteLength).fill(number));
  end.commit();
}

export interface Received {
  readonly kind: number;
  readonly number: number;
  readonly byteLength: number;
}

/** Reads what is there now, and checks the bytes. */
export function received(end: ChannelEnd): Received[] {
  const frames: Received[] = [];
  end.read((frame) => {
    const number = frame.u32();
    const bytes = frame.bytes();
    if (!bytes.every((byte) => byte === (number & 0xff))) throw new Error(`bytes of ${number}`);
    frames.push({ kind: frame.kind, number, byteLength: bytes.length });
  });
  return frames;
}
