import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { ResponseMemory } from "../../src/adapters/kafkajs/response-memory.ts";
import { WholeResponses } from "../../src/adapters/kafkajs/whole-responses.ts";
import { Random } from "../simulation/random.ts";

/** A connection that says what it is told, and what kafkajs has got of it. */
interface Open {
  say(bytes: Uint8Array): void;
  heard(): Buffer;
}

function socketOf(responses: WholeResponses, readsHere: boolean): EventEmitter {
  const socket = Object.assign(new EventEmitter(), { resume: () => socket });
  responses.attach(socket as unknown as Socket, readsHere);
  return socket;
}

/** A socket of somebody else's, which emits what it has read. */
function openForeign(): Open {
  const heard: Uint8Array[] = [];
  const socket = socketOf(new WholeResponses(new ResponseMemory()), false);
  socket.on("data", (chunk: Uint8Array) => heard.push(Uint8Array.from(chunk)));
  return { say: (bytes) => void socket.emit("data", bytes), heard: () => Buffer.concat(heard) };
}

/** A socket that reads where it is told to. */
function openOwn(): Open {
  const heard: Uint8Array[] = [];
  const responses = new WholeResponses(new ResponseMemory());
  socketOf(responses, true).on("data", (chunk: Uint8Array) => heard.push(Uint8Array.from(chunk)));
  const { buffer, callback } = responses.onread;
  const say = (bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length; ) {
      const room = (buffer as () => Uint8Array)();
      const some = bytes.subarray(at, at + room.length);
      room.set(some);
      expect(callback(some.length, room)).toBe(true);
      at += some.length;
    }
  };
  return { say, heard: () => Buffer.concat(heard) };
}

/** As it is given, not copied. */
function openPieces(): { say: (bytes: Uint8Array) => void; got: Uint8Array[] } {
  const got: Uint8Array[] = [];
  const socket = socketOf(new WholeResponses(new ResponseMemory()), false);
  socket.on("data", (chunk: Uint8Array) => got.push(chunk));
  return { say: (bytes) => void socket.emit("data", bytes), got };
}

const ways: readonly (readonly [name: string, open: () => Open])[] = [
  ["its own memory", openOwn],
  ["the socket's", openForeign],
];

function response(length: number, fill: number): number[] {
  return [
    length >> 24,
    (length >> 16) & 255,
    (length >> 8) & 255,
    length & 255,
    ...new Array(length).fill(fill),
  ];
}

describe.each(ways)("WholeResponses, read into %s", (_, open) => {
  test("gives nothing of a response before its last byte is there", () => {
    const { say, heard } = open();
    const first = response(5, 1);
    const second = response(300, 2);
    say(Uint8Array.of(...first.slice(0, 2)));
    say(Uint8Array.of(...first.slice(2, 8)));
    expect(heard().length).toBe(0);
    say(Uint8Array.of(...first.slice(8), ...second.slice(0, 100)));
    expect([...heard()]).toEqual(first);
    say(Uint8Array.of(...second.slice(100)));
    expect([...heard()]).toEqual([...first, ...second]);
  });

  test("gives all bytes in order, at borders of responses, however they are cut", () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = new Random(seed);
    for (let round = 0; round < 200; round++) {
      const { say, heard } = open();
      const responses = Array.from({ length: random.integer(1, 8) }, (_, fill) =>
        response(random.pick([0, 1, 3, 40, 700]), fill),
      );
      const bytes = responses.flat();
      let border = 0;
      const borders = new Set([0, ...responses.map((one) => (border += one.length))]);
      for (let at = 0; at < bytes.length; ) {
        const length = random.integer(1, random.pick([1, 5, 100, 2000]));
        say(Uint8Array.of(...bytes.slice(at, at + length)));
        at += length;
        expect([seed, borders.has(heard().length)]).toEqual([seed, true]);
        const expected = Math.max(...[...borders].filter((one) => one <= at));
        expect([seed, heard().length]).toEqual([seed, expected]);
      }
      expect([seed, [...heard()]]).toEqual([seed, bytes]);
    }
  });

  test.each([
    ["larger than what small ones are gathered in", 300_000],
    ["larger than it is believed to be at first", 5_000_000],
  ])("gives a response %s, and the one behind it", (_, length) => {
    const { say, heard } = open();
    const first = response(length, 1);
    const all = Uint8Array.from([...first, ...response(70_000, 2)]);
    say(all.subarray(0, length - 1));
    expect(heard().length).toBe(0);
    say(all.subarray(length - 1, length + 10_000));
    expect(heard().equals(all.subarray(0, first.length))).toBe(true);
    say(all.subarray(length + 10_000));
    expect(heard().equals(all)).toBe(true);
  });

  test("a length that cannot be costs no more memory than a believable one", () => {
    const { say, heard } = open();
    const before = process.memoryUsage().arrayBuffers;
    say(Uint8Array.of(255, 255, 255, 255, 1, 2, 3));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8_000_000);
    expect(heard().length).toBe(0);
  });
});

describe("WholeResponses", () => {
  test("each response comes in one piece, in memory of its own", () => {
    const { say, got } = openPieces();
    say(Uint8Array.of(...response(10, 1)));
    say(Uint8Array.of(...response(10, 2)));
    expect(got.map((piece) => [...piece])).toEqual([response(10, 1), response(10, 2)]);
    const large = [response(100_000, 3), response(100_000, 4)].map((one) => Uint8Array.from(one));
    for (const one of large) say(one);
    expect(got.length).toBe(4);
    for (const [index, one] of large.entries()) {
      expect(Buffer.from(one).equals(got[2 + index]!)).toBe(true);
    }
  });

  test("leaves the other events alone", () => {
    const socket = socketOf(new WholeResponses(new ResponseMemory()), true);
    const ends: unknown[] = [];
    socket.on("end", (value) => ends.push(value));
    socket.emit("end", 1);
    expect(ends).toEqual([1]);
  });
});
