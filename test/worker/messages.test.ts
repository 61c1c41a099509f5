import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { ClientMessage } from "../../src/adapters/kafkajs/client.ts";
import { recordViews } from "../../src/adapters/kafkajs/record-view.ts";
import { DeserializeError } from "../../src/errors.ts";
import { RawRecords } from "../../src/log/raw-records.ts";
import { MessageView } from "../../src/message.ts";
import type { PlainRecord } from "../../src/plain-record.ts";
import { PolledBatch } from "../../src/polled-batch.ts";
import { recordList } from "../../src/source/record-list.ts";
import type { RecordBatch } from "../../src/source/source.ts";
import type { Deserializer, Message } from "../../src/types.ts";
import type { CallMessages, Region } from "../../src/worker/channel.ts";
import { findMessage } from "../../src/worker/shared-message.ts";
import { encodeBatch } from "../log/encode-batch.ts";
import { SEEDS, withSeed } from "../wasm/random.ts";
import { type BothEnds, bothEnds } from "./one-thread.ts";

const lease = { topic: "orders", partition: 3 };
const CALL_KIND = 1;
type Indexed = readonly (readonly [batch: PolledBatch, index: number])[];

function polled(records: RecordBatch, deserializer: Deserializer<unknown> | null = null) {
  const nextOffset = records.baseOffset + 1000;
  return new PolledBatch(lease, { lease, records, nextOffset, highWatermark: -1 }, deserializer, 0);
}

/** Sends messages as one call, and reads them on the other side. */
function handOver(
  ends: BothEnds,
  messages: Indexed,
  deserializer: Deserializer<unknown> | null = null,
) {
  const { here, there, encoder, messages: reader } = ends;
  for (const [batch, index] of messages) encoder.add(batch, index);
  const frame = here.begin(CALL_KIND);
  frame.u32(77);
  const region: Region | null = encoder.write(frame);
  frame.u32(88);
  here.commit();
  const calls: CallMessages[] = [];
  while (calls.length === 0) {
    here.flush();
    there.read((got) => {
      expect(got.u32()).toBe(77);
      calls.push(reader.read(got, { ...lease, deserializer }));
      expect(got.u32()).toBe(88);
    });
  }
  return { call: calls[0]!, region };
}

/** All that a message says, as plain data. */
function said(message: Message) {
  const bytes = (found: Uint8Array | null) => found && Buffer.from(found).toString("latin1");
  const { topic, partition, offset, timestamp, key, value, headers, payload } = message;
  const pairs = headers.entries().map(([name, content]) => [name, bytes(content)]);
  const firsts = pairs.map(([name]) => [headers.has(name!), headers.text(name!)]);
  const texts = [message.keyText(), message.text()];
  const of = { topic, partition, offset, timestamp, texts, pairs, firsts };
  return { ...of, key: bytes(key), value: bytes(value), payload: bytes(payload as Uint8Array) };
}

function randomRecords(random: () => number, count: number): PlainRecord[] {
  const any = (most: number) => Math.floor(random() * most);
  const pool = Buffer.from(Array.from({ length: 4000 }, () => any(256)));
  const bytes = () => {
    const start = any(2000);
    return pool.subarray(start, start + (random() < 0.3 ? any(2000) : any(40)));
  };
  const names = ["a", "ключ", "", "a-name-that-is-longer", "\u{1f600}"];
  return Array.from({ length: count }, (_, at) => ({
    offset: 2 ** 40 + at * 3,
    timestamp: 1_700_000_000_000 + any(1000),
    key: random() < 0.2 ? null : bytes(),
    value: random() < 0.2 ? null : bytes(),
    headers: Array.from({ length: any(4) }, () => [names[any(names.length)]!, bytes()] as const),
  }));
}

const sources: Readonly<Record<string, (records: readonly PlainRecord[]) => RecordBatch>> = {
  "a record list": recordList,
  "the embedded log": (records) => {
    const sinkRecords = records.map((record) => ({ ...record, id: null }));
    const place = { baseOffset: 2 ** 40, writerEpoch: 1, topicEpoch: 1, appendTimeUs: 1e15 };
    const { bytes } = encodeBatch(sinkRecords, place);
    return new RawRecords({ baseOffset: place.baseOffset, count: records.length, bytes });
  },
  kafkajs: (records) => {
    const messages = records.map(({ offset, timestamp, key, value, headers }) => {
      const named: Record<string, Uint8Array[]> = {};
      for (const [name, content] of headers) {
        named[name] = [...(named[name] ?? []), content];
      }
      const fields = { offset: String(offset), timestamp: String(timestamp), headers: named };
      return { ...fields, key, value } as unknown as ClientMessage;
    });
    return [...recordViews(messages, 0)][0]!.records;
  },
};

describe("W2: a worker reads what the polling thread has", () => {
  for (const [name, make] of Object.entries(sources)) {
    test.each([...SEEDS])(`from ${name}, seed %d`, (seed) => {
      withSeed(seed, (random) => {
        const roomy = bothEnds({ ringBytes: 1024, arenaBytes: 64 * 1024 });
        const cramped = bothEnds({ ringBytes: 1024, arenaBytes: 0 });
        for (let round = 0; round < 40; round++) {
          const batch = polled(make(randomRecords(random, 1 + Math.floor(random() * 20))));
          const chosen = Array.from({ length: batch.count }, (_, index) => [batch, index] as const);
          const isCramped = round % 4 === 0;
          const { call, region } = handOver(
            isCramped ? cramped : roomy,
            chosen.filter((_, index) => index === 0 || random() < 0.7),
          );
          let at = 0;
          for (const [, index] of chosen) {
            const expected = said(new MessageView(batch, index));
            if (at === call.count || call.offsetAt(at) !== expected.offset) continue;
            expect(said(call.at(at))).toEqual(expected);
            expect(said(call.at(at).detach())).toEqual(expected);
            at++;
          }
          expect(at).toBe(call.count);
          expect(region === null).toBe(isCramped);
          call.expire();
          region?.free();
        }
      });
    });
  }
});

describe("messages of a call", () => {
  const text = (value: string | null) => (value === null ? null : Buffer.from(value));
  const record = (offset: number, value: string | null, key = "k"): PlainRecord => ({
    offset,
    timestamp: 5,
    key: text(key),
    value: text(value),
    headers: [["h", Buffer.from("1")]],
  });

  test("they lie in shared memory, and in the worker's own when the arena has no room", () => {
    const batch = polled(recordList([record(1, "one"), record(2, "two")]));
    for (const [arenaBytes, shared] of [
      [4096, true],
      [64, false],
    ] as const) {
      const { call, region } = handOver(bothEnds({ arenaBytes }), [
        [batch, 0],
        [batch, 1],
      ]);
      expect(region !== null).toBe(shared);
      expect(call.at(1).value!.buffer instanceof SharedArrayBuffer).toBe(shared);
      expect(call.at(1).text()).toBe("two");
      expect(call.at(1).value).toBeInstanceOf(Buffer);
      expect(call.at(1).headers.get("h")).toBeInstanceOf(Buffer);
    }
  });

  test("what handlers do with bytes works with bytes in shared memory", () => {
    const { call } = handOver(bothEnds(), [[polled(recordList([record(1, "abc")])), 0]]);
    const value = call.at(0).value!;
    expect(value.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(new TextDecoder().decode(value)).toBe("abc");
    expect(Buffer.from(value).toString()).toBe("abc");
    expect((value as Buffer).toString("hex")).toBe("616263");
    expect((value as Buffer).equals(Buffer.from("abc"))).toBe(true);
    expect(createHash("md5").update(value).digest("hex")).toBe("900150983cd24fb0d6963f7d28e17f72");
    expect([...value.slice(1)]).toEqual([98, 99]);
  });

  test("calls that stay do not hold up others: memory is given back in any order", () => {
    const ends = bothEnds({ ringBytes: 256, arenaBytes: 1024 });
    const batch = polled(recordList([record(1, "long")]));
    const slow = handOver(ends, [[batch, 0]]);
    for (let round = 0; round < 100; round++) {
      const quick = handOver(ends, [[batch, 0]]);
      expect(quick.region).not.toBeNull();
      quick.region!.free();
    }
    expect(slow.call.at(0).text()).toBe("long");
  });

  test("HEADRACE_MESSAGE_EXPIRED: reading a message after its call throws; its name stays", () => {
    const { call } = handOver(bothEnds(), [
      [polled(recordList([record(7, '{"a":1}')])), 0],
      [polled(recordList([record(9, '{"a":2}')])), 0],
    ]);
    const [first, second] = [call.at(0), call.at(1)];
    expect(first.payload).toEqual(first.value);
    call.expire();
    const reads: readonly ((message: Message) => unknown)[] = [
      (message) => message.key,
      (message) => message.value,
      (message) => message.headers,
      (message) => message.timestamp,
      (message) => message.payload,
      (message) => message.keyText(),
      (message) => message.text(),
      (message) => message.json(),
      (message) => message.detach(),
    ];
    for (const read of reads) {
      for (const message of [first, second]) {
        const { offset } = message;
        expect(() => read(message)).toThrow(
          expect.objectContaining({
            code: "HEADRACE_MESSAGE_EXPIRED",
            message:
              "Cannot read a message as its call must not have ended: " +
              `received orders#3@${offset}, and no detach()`,
          }),
        );
      }
    }
    expect([first.offset, second.offset, call.offsetAt(1)]).toEqual([7, 9, 9]);
    expect([first.topic, first.partition]).toEqual(["orders", 3]);
  });

  test("detach() copies: all of the message, in memory of its own, valid after the call", () => {
    const ends = bothEnds({ arenaBytes: 1024 });
    const { call, region } = handOver(ends, [[polled(recordList([record(7, '{"a":1}')])), 0]]);
    const kept = call.at(0).detach();
    const before = said(call.at(0));
    call.expire();
    region!.free();
    // The next call lies where it lay.
    handOver(ends, [[polled(recordList([record(8, "########", "####")])), 0]]);
    expect(said(kept)).toEqual(before);
    expect(said(kept.detach())).toEqual(before);
    expect(kept.json<unknown>()).toEqual({ a: 1 });
    expect(kept.value!.buffer).not.toBeInstanceOf(SharedArrayBuffer);
    expect(kept.value).toBeInstanceOf(Buffer);
  });

  test("findMessage() knows messages, expired and detached ones too, and nothing else", () => {
    const batch = polled(recordList([record(1, "one"), record(2, "two")]));
    const { call } = handOver(bothEnds(), [
      [batch, 0],
      [batch, 1],
    ]);
    const message = call.at(1);
    const copy = message.detach();
    call.expire();
    for (const known of [message, copy, copy.detach()]) {
      expect(findMessage(known)).toEqual({ messages: call, index: 1 });
    }
    for (const foreign of [null, undefined, 3, "x", {}, new MessageView(batch, 0), call]) {
      expect(findMessage(foreign)).toBeUndefined();
    }
  });

  test("payload is made once, on first access; what a deserializer throws is a DeserializeError", () => {
    let made = 0;
    const deserializer: Deserializer<unknown> = (value, message) => {
      made++;
      if (message.offset === 2) throw new Error("broken");
      return [value, message.keyText()];
    };
    const batch = polled(recordList([record(1, "one"), record(2, "two")]));
    const { call } = handOver(
      bothEnds(),
      [
        [batch, 0],
        [batch, 1],
      ],
      deserializer,
    );
    expect(made).toBe(0);
    expect(call.at(0).payload).toBe(call.at(0).payload);
    expect(call.at(0).payload).toEqual([Buffer.from("one"), "k"]);
    expect(made).toBe(1);
    expect(() => call.at(1).payload).toThrow(DeserializeError);
    expect(() => call.at(1).payload).toThrow("Cannot read the payload of orders#3@2 as broken");
  });

  test("null and empty stay apart; a null value is null as JSON", () => {
    const batch = polled(recordList([record(1, null), record(2, "", "")]));
    const { call } = handOver(bothEnds(), [
      [batch, 0],
      [batch, 1],
    ]);
    expect([call.at(0).value, call.at(0).text(), call.at(0).json<unknown>()]).toEqual([
      null,
      null,
      null,
    ]);
    expect(call.at(1).value).toHaveLength(0);
    expect([call.at(1).text(), call.at(1).keyText()]).toEqual(["", ""]);
  });

  test("clear() forgets what was added", () => {
    const ends = bothEnds();
    const batch = polled(recordList([record(1, "one"), record(2, "two")]));
    ends.encoder.add(batch, 0);
    ends.encoder.clear();
    expect(ends.encoder.count).toBe(0);
    const { call } = handOver(ends, [[batch, 1]]);
    expect(call.count).toBe(1);
    expect(call.at(0).text()).toBe("two");
  });

  test("what it wants of the copy: long values lie at addresses that agree with their source's", () => {
    const pool = Buffer.alloc(8192, "x");
    const ends = bothEnds();
    for (let shift = 0; shift < 8; shift++) {
      const value = pool.subarray(shift, shift + 1000);
      const list = recordList([{ offset: 1, timestamp: 1, key: null, value, headers: [] }]);
      const { call } = handOver(ends, [[polled(list), 0]]);
      const there = call.at(0).value!;
      expect((there.byteOffset - value.byteOffset) & 7).toBe(0);
      expect(Buffer.compare(there, value)).toBe(0);
    }
  });
});
