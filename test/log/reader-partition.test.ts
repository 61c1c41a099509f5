import { afterEach, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { CorruptLogError, LogError } from "../../src/errors.ts";
import { declareHole, HOLES_FILE, readHoles } from "../../src/log/holes.ts";
import { openLog } from "../../src/log/log.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { RawRecords } from "../../src/log/raw-records.ts";
import type { StoredBatch } from "../../src/log/read-batches.ts";
import { ReaderPartition, type Visibility } from "../../src/log/reader-partition.ts";
import { ReaderStore } from "../../src/log/reader-store.ts";
import { segmentName } from "../../src/log/segment-names.ts";
import type { FileWatch } from "../../src/log/watch-file.ts";
import { openPartition } from "./open-partition.ts";
import { numbered, random, removeTemporary, temporaryDirectory } from "./temporary.ts";

const open: { close(): void }[] = [];

afterEach(() => {
  for (const one of open.splice(0)) one.close();
  removeTemporary();
});

const noWatch: FileWatch = () => undefined;

function writerAt(directory: string, segmentBytes = 1024, writerEpoch = 1): PartitionLog {
  const options = { segment: { bytes: segmentBytes } };
  const writer = openPartition(directory, { options, writerEpoch });
  open.push(writer);
  return writer;
}

function readerAt(directory: string, visibility: Visibility = "written", watch = noWatch) {
  const place = { root: directory, directory, topic: "t", partition: 0, visibility, watch };
  const reader = new ReaderPartition(place);
  open.push(reader);
  return reader;
}

function valuesOf(batches: readonly StoredBatch[]): string[] {
  return batches.flatMap((batch) => {
    const records = new RawRecords(batch);
    return Array.from({ length: records.count }, (_, at) => String(records.valueAt(at)));
  });
}

/** Reads from the offset to the end, some bytes at a time. */
function readAll(reader: ReaderPartition, from = 0, maxBytes = 300): string[] {
  const values: string[] = [];
  for (let offset = from; offset < reader.logEnd; ) {
    const batches = reader.read(offset, maxBytes);
    const last = batches.at(-1)!;
    values.push(
      ...valuesOf(batches).slice(values.length === 0 ? from - batches[0]!.baseOffset : 0),
    );
    offset = last.baseOffset + last.count;
  }
  return values;
}

function expected(from: number, to: number): string[] {
  return numbered(from, to - from).map(({ value }) => new TextDecoder().decode(value!));
}

describe("ReaderPartition", () => {
  test("sees nothing before there is a head, and what is written after", () => {
    const directory = join(temporaryDirectory(), "0");
    const reader = readerAt(directory);
    expect([reader.logStart, reader.logEnd, reader.read(0, 100)]).toEqual([0, 0, []]);
    const writer = writerAt(directory);
    reader.refresh();
    expect([reader.logEnd, reader.read(0, 100)]).toEqual([0, []]);
    writer.append(numbered(0, 3));
    expect(reader.logEnd).toBe(0);
    reader.refresh();
    expect(reader.logEnd).toBe(3);
    expect(readAll(reader)).toEqual(expected(0, 3));
  });

  test("reads on over many rolls, and from any offset, while it is written", () => {
    for (let seed = 0; seed < 8; seed++) {
      const next = random(seed);
      const directory = temporaryDirectory();
      const writer = writerAt(directory);
      const reader = readerAt(directory);
      for (let round = 0, end = 0; round < 40; round++) {
        const count = 1 + (next() % 5);
        writer.append(numbered(end, count));
        end += count;
        if (next() % 3 > 0) continue;
        reader.refresh();
        const from = next() % (end + 1);
        expect([seed, reader.logEnd]).toEqual([seed, end]);
        expect(readAll(reader, from, 1 + (next() % 2000))).toEqual(expected(from, end));
      }
    }
  });

  test("never reads past what head says, nor past what is synced when asked so", async () => {
    const directory = temporaryDirectory();
    const writer = writerAt(directory, 1 << 20);
    for (let at = 0; at < 4; at++) writer.append(numbered(at * 2, 2));
    await writer.sync();
    for (let at = 4; at < 8; at++) writer.append(numbered(at * 2, 2));
    const [written, synced] = [readerAt(directory), readerAt(directory, "synced")];
    expect([written.logEnd, synced.logEnd]).toEqual([16, 8]);
    expect(readAll(synced, 0, 1 << 20)).toEqual(expected(0, 8));
    expect(() => synced.read(9, 100)).toThrow("from 0 to 8: received 9");
    await writer.sync();
    synced.refresh();
    expect(readAll(synced, 5)).toEqual(expected(5, 16));
    // Bytes behind the limit are another batch that is being written.
    const head = readFileSync(join(directory, "head"));
    writer.append(numbered(16, 1));
    writeFileSync(join(directory, "head"), head);
    expect(readerAt(directory).logEnd).toBe(16);
  });

  test("a synced reader sees all of a segment that was sealed", () => {
    const directory = temporaryDirectory();
    const writer = writerAt(directory);
    for (let at = 0; at < 12; at++) writer.append(numbered(at * 2, 2));
    const reader = readerAt(directory, "synced");
    const last = writer.sealed.at(-1)!.nextOffset;
    expect(reader.logEnd).toBe(last);
    expect(readAll(reader)).toEqual(expected(0, last));
  });

  test("an offset that retention took away is out of range, whatever was open", () => {
    const directory = temporaryDirectory();
    const writer = writerAt(directory);
    for (let at = 0; at < 20; at++) writer.append(numbered(at * 2, 2));
    const reader = readerAt(directory);
    expect(valuesOf(reader.read(0, 1))).toEqual(expected(0, 2));
    writer.dropOldest();
    const second = writer.dropOldest()!;
    // The segment that is open can be read on, as long as nobody looks.
    expect(valuesOf(reader.read(2, 1))).toEqual(expected(2, 4));
    // The next one is gone, so it is looked, and the start is another by now.
    expect(() => reader.read(second.baseOffset, 1)).toThrow("received");
    expect(reader.logStart).toBe(second.nextOffset);
    expect(readAll(reader, second.nextOffset)).toEqual(expected(second.nextOffset, 40));
    try {
      reader.read(0, 1);
      throw new Error("read what is not there");
    } catch (error) {
      expect((error as LogError).code).toBe("HEADRACE_OUT_OF_RANGE");
    }
  });

  test("a segment that is missing without retention is an error, not a gap", () => {
    const directory = temporaryDirectory();
    const writer = writerAt(directory);
    for (let at = 0; at < 20; at++) writer.append(numbered(at * 2, 2));
    const gone = writer.sealed[1]!;
    unlinkSync(join(directory, segmentName(gone.baseOffset)));
    const reader = readerAt(directory);
    expect(() => reader.read(gone.baseOffset, 1)).toThrow(LogError);
    expect(() => reader.read(gone.baseOffset, 1)).toThrow("must be there");
    expect(readAll(reader, gone.nextOffset)).toEqual(expected(gone.nextOffset, 40));
  });

  test("what was set aside as damaged is passed over, when that is declared", () => {
    const directory = temporaryDirectory();
    const writer = writerAt(directory);
    for (let at = 0; at < 20; at++) writer.append(numbered(at * 2, 2));
    const [first, second, third] = writer.sealed;
    const reader = readerAt(directory);
    for (const { baseOffset: from, nextOffset: to } of [first!, third!]) {
      const file = segmentName(from);
      declareHole(directory, { from, to, file: `${file}.bad`, reason: "a wrong checksum" });
      unlinkSync(join(directory, file));
    }
    expect(readHoles(directory).map(({ from }) => from)).toEqual([0, third!.baseOffset]);
    for (const offset of [0, 1, first!.nextOffset - 1]) {
      expect(reader.read(offset, 1)[0]!.baseOffset).toBe(second!.baseOffset);
    }
    expect(reader.read(third!.baseOffset + 1, 1)[0]!.baseOffset).toBe(third!.nextOffset);
    // What is not declared is no hole, though it lies beside one.
    unlinkSync(join(directory, segmentName(second!.baseOffset)));
    expect(() => readerAt(directory).read(second!.baseOffset, 1)).toThrow("must be there");
    expect(() => readerAt(directory).read(0, 1)).toThrow("must be there");
  });

  test("a hole up to the end of the log gives nothing, and damage in its file is told", () => {
    const directory = temporaryDirectory();
    const writer = writerAt(directory, 1 << 20);
    for (let at = 0; at < 4; at++) writer.append(numbered(at * 2, 2));
    const file = segmentName(0);
    unlinkSync(join(directory, file));
    declareHole(directory, { from: 0, to: 8, file: `${file}.bad`, reason: "a wrong checksum" });
    const reader = readerAt(directory);
    expect([reader.logEnd, reader.read(3, 100)]).toEqual([8, []]);
    for (const text of ["{", "{}", '{"holes":[{"from":3,"to":3}]}']) {
      writeFileSync(join(directory, HOLES_FILE), text);
      expect(() => reader.read(3, 100)).toThrow(CorruptLogError);
      expect(() => reader.read(3, 100)).toThrow(HOLES_FILE);
    }
  });

  test("works without the writer's index, with a damaged one, and writes none", () => {
    const directory = temporaryDirectory();
    const writer = writerAt(directory, 20_000);
    for (let at = 0; at < 400; at++) writer.append(numbered(at * 2, 2));
    const [first, second] = writer.sealed.map(({ path }) => path.replace(/log$/, "index"));
    rmSync(first!);
    writeFileSync(second!, readFileSync(second!).fill(7));
    const reader = readerAt(directory);
    expect(readAll(reader, 301, 4096)).toEqual(expected(301, 800));
    expect(readAll(reader, 3, 4096)).toEqual(expected(3, 800));
    expect(() => readFileSync(first!)).toThrow("ENOENT");
  });

  test("a damaged batch is an error that names it; the others can be read", () => {
    const directory = temporaryDirectory();
    const writer = writerAt(directory, 1 << 20);
    for (let at = 0; at < 4; at++) writer.append(numbered(at * 2, 2));
    const path = join(directory, segmentName(0));
    const bytes = readFileSync(path);
    const size = bytes.length / 4;
    bytes[size + 80] = bytes[size + 80]! ^ 1;
    writeFileSync(path, bytes);
    const reader = readerAt(directory);
    expect(() => reader.read(2, 1)).toThrow(CorruptLogError);
    expect(() => reader.read(2, 1)).toThrow(`at position ${size} of ${path}`);
    expect(readAll(reader, 4)).toEqual(expected(4, 8));
  });

  test("a file that is shorter than head says can be read once the writer has mended it", () => {
    const directory = temporaryDirectory();
    const writer = writerAt(directory, 1 << 20);
    for (let at = 0; at < 4; at++) writer.append(numbered(at * 2, 2));
    const reader = readerAt(directory);
    const path = join(directory, segmentName(0));
    truncateSync(path, readFileSync(path).length - 10);
    expect(() => reader.read(0, 1)).toThrow(LogError);
    expect(() => reader.read(0, 1)).not.toThrow(CorruptLogError);
    // Nothing was synced, so the end is a torn one for the next writer.
    const again = writerAt(directory, 1 << 20, 2);
    expect(again.logEnd).toBe(6);
    reader.refresh();
    expect(reader.logEnd).toBe(6);
    again.append(numbered(100, 3));
    reader.refresh();
    expect(readAll(reader)).toEqual([...expected(0, 6), ...expected(100, 103)]);
  });

  test("finds its way when the end was cut and written anew, unseen, in other batches", () => {
    const directory = temporaryDirectory();
    const writer = writerAt(directory, 1 << 20);
    for (let at = 0; at < 40; at++) writer.append(numbered(at, 1));
    const reader = readerAt(directory);
    expect(readAll(reader, 0, 1 << 20)).toEqual(expected(0, 40));
    const path = join(directory, segmentName(0));
    truncateSync(path, (readFileSync(path).length / 40) * 20);
    const again = writerAt(directory, 1 << 20, 2);
    for (let at = 0; at < 20; at++) again.append(numbered(200 + at * 3, 3));
    reader.refresh();
    expect(reader.logEnd).toBe(80);
    const all = [...expected(0, 20), ...expected(200, 260)];
    for (const from of [40, 33, 79, 0]) expect(readAll(reader, from)).toEqual(all.slice(from));
  });

  test("an older head, seen between two writes, takes nothing back", () => {
    const directory = temporaryDirectory();
    const writer = writerAt(directory);
    writer.append(numbered(0, 2));
    const reader = readerAt(directory);
    const head = join(directory, "head");
    writer.append(numbered(2, 2));
    reader.refresh();
    // The newer slot torn: the older one is what a look can find for a moment.
    const [before, torn] = [readFileSync(head), readFileSync(head)];
    const newest = before.readUInt32LE(16) > before.readUInt32LE(64 + 16) ? 0 : 64;
    torn.fill(0xff, newest + 24, newest + 64);
    writeFileSync(head, torn);
    const fresh = readerAt(directory);
    expect(fresh.logEnd).toBe(2);
    writeFileSync(head, before);
    fresh.refresh();
    expect([fresh.logEnd, reader.logEnd]).toEqual([4, 4]);
  });

  test("a head that was made anew is believed", () => {
    const [directory, other] = [temporaryDirectory(), temporaryDirectory()];
    const writer = writerAt(directory);
    for (let at = 0; at < 6; at++) writer.append(numbered(at * 2, 2));
    const reader = readerAt(directory);
    writerAt(other).append(numbered(0, 1));
    for (const name of ["head", segmentName(0)]) {
      copyFileSync(join(other, name), join(directory, name));
    }
    reader.refresh();
    expect(reader.logEnd).toBe(1);
    expect(readAll(reader)).toEqual(expected(0, 1));
  });

  test("wakes through the system's notification, and stops when nobody listens", () => {
    const watched: { path: string; changed: () => void; ended: () => void; stopped: boolean }[] =
      [];
    const watch: FileWatch = (path, changed, ended) => {
      const one = { path, changed, ended, stopped: false };
      watched.push(one);
      return () => {
        one.stopped = true;
      };
    };
    const directory = temporaryDirectory();
    writerAt(directory).append(numbered(0, 1));
    const reader = readerAt(directory, "written", watch);
    expect(watched.length).toBe(0);
    let wakes = 0;
    const stops = [0, 1].map(() => reader.onWrite(() => wakes++));
    expect(watched.map(({ path }) => path)).toEqual([join(directory, "head")]);
    watched[0]!.changed();
    expect(wakes).toBe(2);
    // A watch that ended, as the file was replaced, is begun anew by the next look.
    watched[0]!.ended();
    reader.refresh();
    expect(watched.length).toBe(2);
    stops[0]!();
    expect(watched[1]!.stopped).toBe(false);
    stops[1]!();
    expect(watched[1]!.stopped).toBe(true);
  });

  test("does not watch while this process writes the log, and does again after", async () => {
    const directory = temporaryDirectory();
    const log = await openLog(directory, { topics: { t: { partitions: 1 } } });
    let watches = 0;
    const watch: FileWatch = () => {
      watches++;
      return () => watches--;
    };
    const store = new ReaderStore(directory, "written", watch);
    open.push(store);
    const [partition] = store.topic("t")!.partitions;
    let wakes = 0;
    partition!.onWrite(() => wakes++);
    await log.append("t", 0, numbered(0, 1));
    partition!.refresh();
    expect([watches, wakes]).toEqual([0, 1]);
    await log.close();
    partition!.refresh();
    expect(watches).toBe(1);
    const again = await openLog(directory);
    partition!.refresh();
    expect(watches).toBe(0);
    await again.close();
  });

  test("tries to watch again when head appears, not at every look", () => {
    const paths: string[] = [];
    const watch: FileWatch = (path) => {
      paths.push(path);
      return undefined;
    };
    const directory = join(temporaryDirectory(), "0");
    const reader = readerAt(directory, "written", watch);
    reader.onWrite(() => {});
    for (let at = 0; at < 3; at++) reader.refresh();
    expect(paths.length).toBe(1);
    const writer = writerAt(directory);
    writer.append(numbered(0, 1));
    for (let at = 0; at < 3; at++) reader.refresh();
    expect(paths.length).toBe(2);
  });

  test("wakes at once for what this process writes", async () => {
    const directory = temporaryDirectory();
    const writer = writerAt(directory);
    const reader = readerAt(directory);
    let wakes = 0;
    const stop = reader.onWrite(() => wakes++);
    writer.append(numbered(0, 1));
    expect(wakes).toBe(1);
    await writer.sync();
    expect(wakes).toBe(2);
    stop();
    writer.append(numbered(1, 1));
    expect(wakes).toBe(2);
  });
});
