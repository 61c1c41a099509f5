import { Arena } from "./arena.ts";
import type {
  ChannelEnd,
  ChannelOptions,
  EndOptions,
  MessageEncoder,
  MessageReader,
} from "./channel.ts";
import { SharedChannelEnd } from "./channel-end.ts";
import { channelLayout, channelMemory } from "./control.ts";
import { frameMemory } from "./frame-memory.ts";
import { ArenaEncoder } from "./message-encoder.ts";
import { SharedMessageReader } from "./shared-message.ts";

/**
 * Makes a channel, on the polling thread.
 *
 * @returns This side's end, what writes messages into it, and the memory for the worker's `workerData`: as it is, no
 *   view of it.
 * @throws {RangeError} For a size that is out of its range.
 */
export function createChannel(options: ChannelOptions & EndOptions = {}): {
  end: ChannelEnd;
  encoder: MessageEncoder;
  memory: SharedArrayBuffer;
} {
  const memory = channelMemory(options.ringBytes, options.arenaBytes);
  const layout = channelLayout(memory, "polling");
  const views = frameMemory(memory);
  const encoder = new ArenaEncoder(views, new Arena(layout.arenaBytes), layout.arenaStart);
  return { end: new SharedChannelEnd(views, layout, options), encoder, memory };
}

/**
 * The other end of a channel, on the worker thread.
 *
 * @throws {TypeError} For memory that `createChannel()` has not made.
 */
export function joinChannel(
  memory: SharedArrayBuffer,
  options: EndOptions = {},
): { end: ChannelEnd; messages: MessageReader } {
  const layout = channelLayout(memory, "worker");
  const views = frameMemory(memory);
  const messages = new SharedMessageReader(views, layout.arenaStart);
  return { end: new SharedChannelEnd(views, layout, options), messages };
}
