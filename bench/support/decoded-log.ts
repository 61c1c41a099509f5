/** The embedded log as a client that decodes would give it: one object per message, as kafkajs makes them. */
import { Buffer } from "node:buffer";
import type { ClientMessage } from "../../src/adapters/kafkajs/client.ts";
import { recordViews } from "../../src/adapters/kafkajs/record-view.ts";
import { log } from "../../src/adapters/log.ts";
import type { RecordBatch, SourceFactory, SourceListener } from "../../src/source/source.ts";

/** Bytes of the batch header, and of a frame before its body: see src/log/format.ts. */
const BATCH_HEADER_BYTES = 64;
const FRAME_HEADER_BYTES = 40;
const NO_KEY = 0xffff;

/** One pass over the frames; keys and values are views, as kafkajs makes them. The records have no headers. */
function decode(records: RecordBatch): ClientMessage[] {
  // Keys are views of the stored batch, whose first one begins behind two headers.
  const { buffer, byteOffset } = records.keyAt(0)!;
  const bytes = Buffer.from(
    buffer as ArrayBuffer,
    byteOffset - BATCH_HEADER_BYTES - FRAME_HEADER_BYTES,
    records.byteLength,
  );
  const messages: ClientMessage[] = [];
  let at = BATCH_HEADER_BYTES;
  for (let index = 0; index < records.count; index++) {
    const end = at + bytes.readUInt32LE(at);
    const keyBytes = bytes.readUInt16LE(at + 32);
    const keyAt = at + FRAME_HEADER_BYTES;
    const valueAt = keyAt + (keyBytes === NO_KEY ? 0 : keyBytes) + bytes.readUInt32LE(at + 36);
    const timeUs = bytes.readUInt32LE(at + 8) + bytes.readInt32LE(at + 12) * 2 ** 32;
    messages.push({
      key: keyBytes === NO_KEY ? null : bytes.subarray(keyAt, keyAt + keyBytes),
      value: (bytes.readUInt16LE(at + 34) & 1) === 1 ? null : bytes.subarray(valueAt, end),
      timestamp: String(Math.floor(timeUs / 1000)),
      offset: String(records.baseOffset + index),
      headers: {},
    });
    at = end;
  }
  return messages;
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
