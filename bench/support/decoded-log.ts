/** The embedded log as a client that decodes would give it: one object per message, as kafkajs makes them. */
import { Buffer } from "node:buffer";
import type { ClientMessage } from "../../src/adapters/kafkajs/client.ts";
import { recordViews } from "../../src/adapters/kafkajs/record-view.ts";
import { log } from "../../src/adapters/log.ts";
import type { RecordBatch, SourceFactory, SourceListener } from "../../src/source/source.ts";

/** Bytes of a batch before its first frame, and of a frame before its key: see src/log/format.ts. */
const BATCH_HEADER_BYTES = 64;
const FRAME_HEADER_BYTES = 40;
const NO_KEY = 0xffff;

/** One pass over the frames of stored batches. Keys and values are views, as kafkajs makes them. */
function decode(records: RecordBatch): ClientMessage[] {
  // The first key lies behind the headers of its batch and frame: so that is where the bytes begin.
  const { buffer, byteOffset } = records.keyAt(0)!;
  const start = byteOffset - BATCH_HEADER_BYTES - FRAME_HEADER_BYTES;
  const bytes = Buffer.from(buffer as ArrayBuffer, start, records.byteLength);
  const messages: ClientMessage[] = [];
  for (let at = 0; at < bytes.length; ) {
    const batchEnd = at + bytes.readUInt32LE(at + 12);
    at += BATCH_HEADER_BYTES;
    while (at < batchEnd) {
      messages.push(decodeFrame(bytes, at, records.baseOffset + messages.length));
      at += bytes.readUInt32LE(at);
    }
  }
  return messages;
}

/** The records of these benches have no headers. */
function decodeFrame(bytes: Buffer, at: number, offset: number): ClientMessage {
  const keyBytes = bytes.readUInt16LE(at + 32);
  const keyAt = at + FRAME_HEADER_BYTES;
  const valueAt = keyAt + (keyBytes === NO_KEY ? 0 : keyBytes) + bytes.readUInt32LE(at + 36);
  const timeUs = bytes.readUInt32LE(at + 8) + bytes.readInt32LE(at + 12) * 2 ** 32;
  const isNull = (bytes.readUInt16LE(at + 34) & 1) === 1;
  return {
    key: keyBytes === NO_KEY ? null : bytes.subarray(keyAt, keyAt + keyBytes),
    value: isNull ? null : bytes.subarray(valueAt, at + bytes.readUInt32LE(at)),
    timestamp: String(Math.floor(timeUs / 1000)),
    offset: String(offset),
    headers: {},
  };
}

/**
 * `log(directory)`, whose stored batches are decoded into plain message objects and handed over as those of kafkajs
 * are. Whole batches only: it starts at the log's start.
 */
export function decodedLog(directory: string): SourceFactory {
  const factory = log(directory);
  return {
    open: (group) => {
      const source = factory.open(group);
      const start = source.start.bind(source);
      source.start = (listener) => start(decoding(listener));
      return source;
    },
  };
}

function decoding(listener: SourceListener): SourceListener {
  return {
    assigned: (leases) => listener.assigned(leases),
    revoking: (leases, deadlineMs) => listener.revoking(leases, deadlineMs),
    joined: (kept, ended) => listener.joined(kept, ended),
    lost: (leases) => listener.lost(leases),
    advanced: (lease, nextOffset) => listener.advanced(lease, nextOffset),
    failed: (error, fatal) => listener.failed(error, fatal),
    deliver: async (batch) => {
      for (const { records, endOffset } of recordViews(decode(batch.records), 0)) {
        const nextOffset = endOffset ?? batch.nextOffset;
        await listener.deliver({ ...batch, records, nextOffset });
      }
    },
  };
}
