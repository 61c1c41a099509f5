import { describe, expect, test } from "bun:test";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { giveWholeResponses } from "../../src/adapters/kafkajs/whole-responses.ts";
import { Random } from "../simulation/random.ts";

/** A socket that says what it is told, and what its listener has got of it. */
function open(): { say: (chunk: Uint8Array) => void; heard: () => number[] } {
  const socket = new EventEmitter();
  const heard: number[] = [];
  giveWholeResponses(socket as unknown as Socket);
  socket.on("data", (chunk: Uint8Array) => heard.push(...chunk));
  return { say: (chunk) => void socket.emit("data", chunk), heard: () => heard };
}

function response(length: number, fill: number): number[] {
  return [0, 0, length >> 8, length & 255, ...new Array<number>(length).fill(fill)];
}

describe("giveWholeResponses()", () => {
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

  test("leaves the other events alone", () => {
    const socket = new EventEmitter();
    giveWholeResponses(socket as unknown as Socket);
    const ends: unknown[] = [];
    socket.on("end", (value) => ends.push(value));
    socket.emit("end", 1);
    expect(ends).toEqual([1]);
  });
});
