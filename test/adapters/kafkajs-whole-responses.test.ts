import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { WholeResponses } from "../../src/adapters/kafkajs/whole-responses.ts";
import { Random } from "../simulation/random.ts";

/** A connection that says what it is told, and what kafkajs has got of it. */
interface Open {
  say(bytes: Uint8Array): void;
  heard(): number[];
}

function joined(chunks: readonly Uint8Array[]): number[] {
  return [...Buffer.concat(chunks)];
}

function socketOf(responses: WholeResponses, readsHere: boolean): EventEmitter {
  const socket = Object.assign(new EventEmitter(), { resume: () => socket });
  responses.attach(socket as unknown as Socket, readsHere);
  return socket;
}

/** A socket of somebody else's, which emits what it has read. */
function openForeign(): Open {
  const heard: Uint8Array[] = [];
  const socket = socketOf(new WholeResponses(), false);
  socket.on("data", (chunk: Uint8Array) => heard.push(Uint8Array.from(chunk)));
  return { say: (bytes) => void socket.emit("data", bytes), heard: () => joined(heard) };
}

/** A socket that reads where it is told to. */
function openOwn(): Open {
  const heard: Uint8Array[] = [];
  const responses = new WholeResponses();
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
  return { say, heard: () => joined(heard) };
}

/** As it is given, not copied. */
function openPieces(): { say: (bytes: Uint8Array) => void; got: Uint8Array[] } {
  const got: Uint8Array[] = [];
  const socket = socketOf(new WholeResponses(), false);
  socket.on("data", (chunk: Uint8Array) => got.push(chunk));
  return { say: (bytes) => void socket.emit("data", bytes), got };
}

const ways: readonly (readonly [name: string, open: () => Open])[] = [
  ["its own memory", openOwn],
  ["the socket's", openForeign],
];

function response(length: number, fill: number): number[] {
  return [0, length >> 16, (length >> 8) & 255, length & 255, ...new Array(length).fill(fill)];
}

describe.each(ways)("WholeResponses, read into %s", (_, open) => {
  test("gives nothing of a response before its last byte is there", () => {
    const { say, heard } = open();
    const first = response(5, 1);
    const second = response(300, 2);
    say(Uint8Array.of(...first.slice(0, 2)));
    say(Uint8Array.of(...first.slice(2, 8)));
    expect(heard()).toEqual([]);
    say(Uint8Array.of(...first.slice(8), ...second.slice(0, 100)));
    expect(heard()).toEqual(first);
    say(Uint8Array.of(...second.slice(100)));
    expect(heard()).toEqual([...first, ...second]);
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
      expect([seed, heard()]).toEqual([seed, bytes]);
    }
  });

  test("gives a response larger than its memory, and the one behind it", () => {
    const { say, heard } = open();
    const first = response(300_000, 1);
    const second = response(70_000, 2);
    const all = Uint8Array.from([...first, ...second]);
    say(all.subarray(0, 299_999));
    expect(heard()).toEqual([]);
    say(all.subarray(299_999, 310_000));
    expect(Buffer.from(heard()).equals(Buffer.from(first))).toBe(true);
    say(all.subarray(310_000));
    expect(Buffer.from(heard()).equals(Buffer.from(all))).toBe(true);
  });
});

describe("WholeResponses", () => {
  test("small responses are kept by whoever gets them, large ones come in pieces", () => {
    const { say, got } = openPieces();
    say(Uint8Array.of(...response(10, 1)));
    say(Uint8Array.of(...response(10, 2)));
    expect(got.map((piece) => [...piece])).toEqual([response(10, 1), response(10, 2)]);
    say(Uint8Array.of(...response(100_000, 3)));
    expect(got.slice(2).map(({ length }) => length)).toEqual([4, 100_000]);
  });

  test("leaves the other events alone", () => {
    const socket = socketOf(new WholeResponses(), true);
    const ends: unknown[] = [];
    socket.on("end", (value) => ends.push(value));
    socket.emit("end", 1);
    expect(ends).toEqual([1]);
  });
});
