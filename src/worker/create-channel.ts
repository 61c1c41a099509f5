import type { ChannelEnd, ChannelOptions, EndOptions } from "./channel.ts";
import { SharedChannelEnd } from "./channel-end.ts";
import { channelLayout, channelMemory } from "./control.ts";
import { frameMemory } from "./frame-memory.ts";

/**
 * Makes a channel, on the polling thread.
 *
 * @returns This side's end, and the memory for the worker's `workerData`: as it is, no view of it.
 * @throws {RangeError} For a size that is out of its range.
 */
export function createChannel(options: ChannelOptions & EndOptions = {}): {
  end: ChannelEnd;
  memory: SharedArrayBuffer;
} {
  const memory = channelMemory(options.ringBytes, options.arenaBytes);
  const layout = channelLayout(memory, "polling");
  return { end: new SharedChannelEnd(frameMemory(memory), layout, options), memory };
}

/**
 * The other end of a channel, on the worker thread.
 *
 * @throws {TypeError} For memory that `createChannel()` has not made.
 */
export function joinChannel(memory: SharedArrayBuffer, options: EndOptions = {}): ChannelEnd {
  const layout = channelLayout(memory, "worker");
  return new SharedChannelEnd(frameMemory(memory), layout, options);
}
