/** Logs that take the same records: what bench/log.ts compares. */
import { Buffer } from "node:buffer";
import { closeSync, fstatSync, openSync, readSync, write, writeSync } from "node:fs";
import { rm } from "node:fs/promises";
import path from "node:path";
import offsetLog from "async-append-only-log";
import { openLog } from "../../src/adapters/log.ts";
import type { LogOptions } from "../../src/log/log-options.ts";
import { RawRecords } from "../../src/log/raw-records.ts";
import { joinRun, takeRun } from "../../src/log/stored-run.ts";
import type { SinkRecord } from "../../src/source/source.ts";
import { encodeBatch } from "../../test/log/encode-batch.ts";

/** Appends that are on their way at once have so many records, or are one. */
const WINDOW_RECORDS = 1000;
const READ_BYTES: number = 1 << 20;
const TOPIC = "bench";

/** How much is written, and in what pieces. */
export interface Work {
  readonly count: number;
  /** Bytes of a value. */
  readonly bytes: number;
  /** Records of one append. */
  readonly batch: number;
}

/** When an append counts as done, and when the disk is asked to have it. */
export type Promises = Pick<LogOptions, "acknowledge" | "sync">;

/** The records of a window: all windows are alike, and no two records of one are. */
export class Records {
  readonly work: Work;
  readonly records: readonly SinkRecord[];
  readonly batches: readonly (readonly SinkRecord[])[];

  constructor(work: Work) {
    this.work = work;
    const { batch, bytes } = work;
    this.records = Array.from({ length: Math.max(WINDOW_RECORDS, batch) }, (_, index) => {
      const key = Buffer.from(`key-${index % 100}`);
      const value = Buffer.alloc(bytes, index);
      value.writeUInt32LE(index);
      return { key, value, headers: [], timestamp: 1_700_000_000_000, id: null };
    });
    this.batches = Array.from({ length: this.records.length / batch }, (_, at) =>
      this.records.slice(at * batch, (at + 1) * batch),
    );
  }

  get windows(): number {
    return this.work.count / this.records.length;
  }

  /** @throws {Error} When the value is not the one written at that offset. */
  check(offset: number, value: Uint8Array): void {
    const wanted = this.records[offset % this.records.length]!.value!;
    if (Buffer.compare(wanted, value) === 0) return;
    throw new Error(`Cannot use this run as records must be as written: received ${offset}`);
  }

  /** @throws {Error} When some are missing. */
  complete(read: number): void {
    if (read === this.work.count) return;
    throw new Error(`Cannot use this run as it must be complete: ${read} of ${this.work.count}`);
  }
}

async function seconds(run: () => Promise<void> | void): Promise<number> {
  const startMs = performance.now();
  await run();
  return (performance.now() - startMs) / 1000;
}

/** Appends to the embedded log, reads all of it back and checks it. */
export async function appendHeadrace(
  directory: string,
  records: Records,
  promises: Promises,
): Promise<number> {
  const log = await openLog(directory, { ...promises, topics: { [TOPIC]: { partitions: 1 } } });
  const took = await seconds(async () => {
    for (let window = 0; window < records.windows; window++) {
      await Promise.all(records.batches.map((batch) => log.append(TOPIC, 0, batch)));
    }
  });
  await log.close();
  await readHeadrace(directory, records, (offset, value) => records.check(offset, value));
  return took;
}

/**
 * Reads the embedded log through: checksums verified, a view made of each key and value.
 *
 * @returns Seconds.
 */
export async function readHeadrace(
  directory: string,
  records: Records,
  see: (offset: number, value: Uint8Array) => void = () => {},
): Promise<number> {
  const log = await openLog(directory);
  let offset = 0;
  let keyBytes = 0;
  const took = await seconds(async () => {
    const { logEnd } = await log.bounds(TOPIC, 0);
    while (offset < logEnd) {
      const batches = [...(await log.read(TOPIC, 0, offset, READ_BYTES))];
      while (batches.length > 0) {
        const run = new RawRecords(joinRun(takeRun(batches)));
        for (let index = 0; index < run.count; index++) {
          keyBytes += run.keyAt(index)!.length;
          see(offset++, run.valueAt(index)!);
        }
      }
    }
  });
  await log.close();
  records.complete(offset);
  if (keyBytes < offset * 5) throw new Error("Cannot use this run as its keys must be there");
  return took;
}

/** The batches alone, checksums verified: what a copy or a forwarder needs. @returns Seconds. */
export async function readBatchesOnly(directory: string, records: Records): Promise<number> {
  const log = await openLog(directory);
  let offset = 0;
  const took = await seconds(async () => {
    const { logEnd } = await log.bounds(TOPIC, 0);
    while (offset < logEnd) {
      for (const { count } of await log.read(TOPIC, 0, offset, READ_BYTES)) offset += count;
    }
  });
  await log.close();
  records.complete(offset);
  return took;
}

/** A record of the other log: it has no keys, so one buffer has both. */
function packed(records: readonly SinkRecord[]): Buffer[] {
  return records.map(({ key, value }) => Buffer.concat([value!, key!]));
}

/**
 * Appends to async-append-only-log. It answers at once and writes behind its back.
 *
 * @param drained false: only until it has answered. true: until all is written; it syncs each block.
 */
export async function appendOffsetLog(
  directory: string,
  records: Records,
  drained: boolean,
): Promise<number> {
  const file = path.join(directory, "offset.log");
  const log = offsetLog(file, { writeTimeout: 1 });
  await new Promise<void>((resolve) => log.onLoad(resolve)());
  const batches = records.batches.map(packed);
  const drain = (): Promise<void> => new Promise((resolve) => log.onDrain(resolve));
  let answered = 0;
  const answer = (error: Error | null): void => {
    if (error !== null) throw error;
    answered++;
  };
  const took = await seconds(async () => {
    for (let window = 0; window < records.windows; window++) {
      for (const batch of batches) {
        if (batch.length === 1) log.append(batch[0]!, answer);
        else log.append(batch, answer);
      }
    }
    if (drained) await drain();
  });
  records.complete(answered * records.work.batch);
  await drain();
  await new Promise<void>((resolve) => log.close(() => resolve()));
  await readOffsetLog(directory, records, (offset, value) =>
    records.check(offset, value.subarray(0, records.work.bytes)),
  );
  return took;
}

/** Streams async-append-only-log, newly opened: nothing is in its cache. @returns Seconds. */
export async function readOffsetLog(
  directory: string,
  records: Records,
  see: (offset: number, value: Uint8Array) => void = () => {},
): Promise<number> {
  const log = offsetLog(path.join(directory, "offset.log"), {});
  await new Promise<void>((resolve) => log.onLoad(resolve)());
  let read = 0;
  const took = await seconds(
    () =>
      new Promise<void>((resolve) => {
        const write = ({ value }: { value: Buffer }): void => see(read++, value);
        log.stream({}).pipe({ paused: false, write, end: () => resolve() });
      }),
  );
  await new Promise<void>((resolve) => log.close(() => resolve()));
  records.complete(read);
  return took;
}

/** Writes all of `bytes` at `position`. */
export type BareWrite = (fd: number, bytes: Buffer, position: number) => Promise<number> | number;

/** `fs.write()`, one thread of the pool away. */
export const bareWrite: BareWrite = (fd, bytes, position) =>
  new Promise((resolve, reject) => {
    write(fd, bytes, 0, bytes.length, position, (error, written) => {
      if (error === null) resolve(written);
      else reject(error);
    });
  });

/** `fs.writeSync()`, in this thread. */
export const bareWriteSync: BareWrite = (fd, bytes, position) =>
  writeSync(fd, bytes, 0, bytes.length, position);

/** The same bytes as the embedded log's, one bare write per append. @returns Seconds. */
export async function writeBare(
  directory: string,
  records: Records,
  writeBytes: BareWrite = bareWriteSync,
): Promise<number> {
  const pieces = records.batches.map((batch) => {
    const place = { baseOffset: 0, writerEpoch: 1, topicEpoch: 1, appendTimeUs: 0 };
    return Buffer.from(encodeBatch(batch, place).bytes);
  });
  const fd = openSync(path.join(directory, "bare"), "w");
  let at = 0;
  const took = await seconds(async () => {
    for (let window = 0; window < records.windows; window++) {
      const written = pieces.map((bytes) => {
        const position = at;
        at += bytes.length;
        return writeBytes(fd, bytes, position);
      });
      const lengths = written.some((one) => typeof one !== "number")
        ? await Promise.all(written)
        : written;
      if (lengths.some((length, piece) => length !== pieces[piece]!.length)) {
        throw new Error("Cannot use this run as writes must be whole");
      }
    }
  });
  const { size } = fstatSync(fd);
  closeSync(fd);
  if (size !== at) throw new Error(`Cannot use this run as it must be complete: ${size} of ${at}`);
  return took;
}

/** Reads what `writeBare()` wrote, 1 MiB at a time into one buffer. @returns Seconds. */
export async function readBare(directory: string): Promise<number> {
  const fd = openSync(path.join(directory, "bare"), "r");
  const bytes = Buffer.alloc(READ_BYTES);
  const { size } = fstatSync(fd);
  let at = 0;
  const took = await seconds(() => {
    for (;;) {
      const got = readSync(fd, bytes, 0, bytes.length, at);
      if (got === 0) break;
      at += got;
    }
  });
  closeSync(fd);
  if (size !== at) throw new Error(`Cannot use this run as it must be complete: ${size} of ${at}`);
  return took;
}

/** Removes what a run has left. */
export async function clear(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}
