import { describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import type { ChannelEnd } from "../../src/worker/channel.ts";
import { SharedChannelEnd } from "../../src/worker/channel-end.ts";
import { channelLayout, channelMemory, SLEEP_FOR_FRAMES } from "../../src/worker/control.ts";
import { createChannel, joinChannel } from "../../src/worker/create-channel.ts";
import { frameMemory } from "../../src/worker/frame-memory.ts";
import { bothEnds, type Received, received, send } from "./one-thread.ts";

/** Listens and notes what comes. */
function listening(end: ChannelEnd): { frames: Received[]; done: Promise<void> } {
  const frames: Received[] = [];
  const done = end.listen({
    onFrame: (frame) => {
      const { kind } = frame;
      const number = frame.u32();
      frames.push({ kind, number, byteLength: frame.bytes().length });
    },
  });
  return { frames, done };
}

describe("frames", () => {
  test("a frame carries every kind of field, in the order in which they were written", () => {
    const { here, there } = bothEnds();
    const frame = here.begin(65_535);
    frame.u32(4_294_967_295);
    frame.u32(-5);
    frame.text("né\ufeff\ud800");
    frame.f64(Number.MIN_VALUE);
    frame.optionalText(null);
    frame.optionalText("");
    frame.bytes(Uint8Array.of(1, 2, 3));
    frame.bytes(new Uint8Array(0));
    frame.u32(7);
    here.commit();
    here.flush();
    const read = there.read((got) => {
      expect(got.kind).toBe(65_535);
      expect(got.u32()).toBe(4_294_967_295);
      expect(got.i32()).toBe(-5);
      expect(got.text()).toBe("né\ufeff\ufffd");
      expect(got.f64()).toBe(Number.MIN_VALUE);
      expect(got.optionalText()).toBeNull();
      expect(got.optionalText()).toBe("");
      expect([...got.bytes()]).toEqual([1, 2, 3]);
      expect(got.bytes()).toHaveLength(0);
      expect(got.u32()).toBe(7);
      expect(() => got.f64()).toThrow("both sides of a channel know the same fields");
    });
    expect(read).toBe(1);
  });

  test("a frame without fields is a frame", () => {
    const { here, there } = bothEnds({ ringBytes: 64 });
    for (let round = 0; round < 20; round++) {
      here.begin(round);
      here.commit();
      here.flush();
      const kinds: number[] = [];
      there.read((frame) => {
        kinds.push(frame.kind, frame.left);
      });
      expect(kinds).toEqual([round, 0]);
    }
  });

  test("nothing is seen before flush()", () => {
    const { here, there } = bothEnds();
    send(here, 1, 1);
    send(here, 3, 3);
    expect(received(there)).toEqual([]);
    here.flush();
    expect(received(there)).toEqual([
      { kind: 1, number: 1, byteLength: 0 },
      { kind: 3, number: 3, byteLength: 0 },
    ]);
  });

  test("begin() refuses a second frame, and a kind out of range", () => {
    const { here } = bothEnds();
    expect(() => here.begin(65_536)).toThrow("kinds of frames are 0…65535");
    here.begin(1);
    expect(() => here.begin(2)).toThrow("a frame is committed before the next one is begun");
  });

  test.each([0x7fff_ff80, -128])("positions go on past the end of their word, from %d", (near) => {
    const memory = channelMemory(128, 0);
    const layout = channelLayout(memory, "polling");
    const words = new Int32Array(memory);
    // As if so many bytes had gone through both rings before.
    for (const side of [layout.own, layout.other]) {
      words[side.head] = near;
      words[side.tail] = near;
    }
    const here = new SharedChannelEnd(frameMemory(memory), layout, {});
    const { end: there } = joinChannel(memory);
    for (let number = 0; number < 50; number++) {
      send(here, 1, number, number % 40);
      here.flush();
      expect(received(there)).toEqual([{ kind: 1, number, byteLength: number % 40 }]);
    }
    expect(words[layout.own.head]! > near).toBe(near !== 0x7fff_ff80);
  });

  test("createChannel() and joinChannel() refuse sizes and memory that are none of theirs", () => {
    for (const ringBytes of [0, 32, 100, 2 ** 31, Number.NaN]) {
      expect(() => createChannel({ ringBytes })).toThrow(RangeError);
    }
    for (const arenaBytes of [-8, 12, 2 ** 31, Number.NaN]) {
      expect(() => createChannel({ arenaBytes })).toThrow(
        "arenaBytes must be a multiple of 8 from 0 to 1073741824",
      );
    }
    for (const bytes of [0, 8, 4096]) {
      expect(() => joinChannel(new SharedArrayBuffer(bytes))).toThrow(TypeError);
    }
  });
});

describe("full rings", () => {
  test("frames that find no room wait, and later ones stay behind them", () => {
    const { here, there } = bothEnds({ ringBytes: 64 });
    const sent: Received[] = [];
    for (let number = 0; number < 30; number++) {
      const byteLength = number % 7 === 3 ? 200 : number % 12;
      send(here, 5, number, byteLength);
      sent.push({ kind: 5, number, byteLength });
    }
    here.flush();
    expect(here.queuedBytes).toBeGreaterThan(200);
    const got: Received[] = [];
    for (let round = 0; round < 200 && got.length < sent.length; round++) {
      got.push(...received(there));
      here.flush();
    }
    expect(got).toEqual(sent);
    expect(here.queuedBytes).toBe(0);
  });

  test("a listening side sends by itself as the other one makes room", async () => {
    const { here, there } = bothEnds({ ringBytes: 64 });
    const sender = listening(here);
    const receiver = listening(there);
    for (let number = 0; number < 500; number++) send(here, 1, number, number % 90);
    here.flush();
    here.close();
    await receiver.done;
    await sender.done;
    expect(receiver.frames.map(({ number }) => number)).toEqual(
      Array.from({ length: 500 }, (_, n) => n),
    );
  });

  test("a frame much larger than the ring arrives whole, and its memory is the frame's own", () => {
    const { here, there } = bothEnds({ ringBytes: 256 });
    const bytes = Uint8Array.from({ length: 100_000 }, (_, at) => at * 7);
    const frame = here.begin(9);
    frame.u32(bytes.length);
    const at = frame.room(bytes.length);
    frame.memory.bytes.set(bytes, at);
    here.commit();
    let taken: Uint8Array | undefined;
    for (let round = 0; round < 2000 && taken === undefined; round++) {
      here.flush();
      there.read((got) => {
        const { memory, start } = got.take(got.u32());
        expect(memory.bytes.buffer).not.toBeInstanceOf(SharedArrayBuffer);
        taken = memory.bytes.subarray(start, start + bytes.length);
      });
    }
    expect(Buffer.compare(taken!, bytes)).toBe(0);
  });

  test("commit() refuses what would make too much wait, and nothing else is lost", () => {
    const { here, there } = bothEnds({ ringBytes: 64, maxQueuedBytes: 212 });
    for (let number = 0; number < 3; number++) send(here, 1, number, 60);
    expect(() => send(here, 1, 3, 60)).toThrow("at most 212 bytes wait for room in the ring");
    send(here, 1, 4, 0);
    const got: number[] = [];
    for (let round = 0; round < 50; round++) {
      here.flush();
      got.push(...received(there).map(({ number }) => number));
    }
    expect(got).toEqual([0, 1, 2, 4]);
  });
});

describe("listen()", () => {
  test("close(): what was committed arrives, then both sides settle and are closed", async () => {
    const { here, there } = bothEnds();
    const one = listening(here);
    const two = listening(there);
    send(here, 1, 1);
    here.close();
    here.close();
    await Promise.all([one.done, two.done]);
    expect(two.frames).toEqual([{ kind: 1, number: 1, byteLength: 0 }]);
    expect([here.closed, there.closed]).toEqual([true, true]);
    for (const end of [here, there]) {
      expect(() => end.begin(1)).toThrow("its channel must be open");
    }
  });

  test("abandon() settles it while it sleeps, also when the other side was about to wake it", async () => {
    const { here, memory } = bothEnds();
    const { done } = listening(here);
    await Promise.resolve();
    // The other side has claimed the wake-up, and died before it rang.
    const { own } = channelLayout(memory, "polling");
    const words = new Int32Array(memory);
    expect(Atomics.exchange(words, own.sleep, 0)).toBe(SLEEP_FOR_FRAMES);
    here.abandon();
    await done;
    expect(here.closed).toBe(true);
  });

  test("abandon() in onFrame: no more frames, no afterBatch", async () => {
    const { here, there } = bothEnds();
    for (let number = 0; number < 5; number++) send(here, 1, number);
    here.flush();
    const seen: number[] = [];
    await there.listen({
      onFrame: (frame) => {
        seen.push(frame.u32());
        if (seen.length === 2) there.abandon();
      },
      afterBatch: () => {
        throw new Error("called");
      },
    });
    expect(seen).toEqual([0, 1]);
  });

  test("it rejects with what a callback threw, and the frame counts as read", async () => {
    const { here, there } = bothEnds();
    send(here, 1, 1);
    send(here, 1, 2);
    here.flush();
    const onFrame = () => {
      throw new Error("from onFrame");
    };
    await expect(there.listen({ onFrame })).rejects.toThrow("from onFrame");
    expect(received(there).map(({ number }) => number)).toEqual([2]);
    await expect(there.listen({ onFrame })).rejects.toThrow("a channel end is listened to once");
  });

  test("afterBatch is called again after a turn of the event loop while it has more to do", async () => {
    const { here, there } = bothEnds();
    const events: string[] = [];
    setImmediate(() => events.push("turn"));
    send(here, 1, 1);
    here.flush();
    await there.listen({
      onFrame: () => events.push("frame"),
      afterBatch: () => {
        events.push("after");
        const left = 3 - events.filter((event) => event === "after").length;
        if (left === 0) there.close();
        return left > 0;
      },
    });
    expect(events.slice(0, 3)).toEqual(["frame", "after", "turn"]);
    expect(events.filter((event) => event === "after")).toHaveLength(3);
  });

  test("frames that read() takes in afterBatch bring another afterBatch", async () => {
    const { here, there } = bothEnds();
    send(here, 1, 1);
    here.flush();
    let rounds = 0;
    const onFrame = () => {};
    await there.listen({
      onFrame,
      afterBatch: () => {
        if (++rounds === 3) {
          there.close();
          return false;
        }
        // In the middle of its work: the frame came while it ran.
        send(here, 1, rounds);
        here.flush();
        there.read(onFrame);
        return false;
      },
    });
    expect(rounds).toBe(3);
  });

  test("R1: the event loop gets a turn between frames whose work is long", async () => {
    const { here, there } = bothEnds();
    for (let number = 0; number < 40; number++) send(here, 1, number);
    here.flush();
    let turns = 0;
    let longest = 0;
    let since = performance.now();
    const beat = (): void => {
      longest = Math.max(longest, performance.now() - since);
      since = performance.now();
      turns++;
      if (!there.closed) setImmediate(beat);
    };
    setImmediate(beat);
    let seen = 0;
    await there.listen({
      onFrame: () => {
        const until = performance.now() + 4;
        while (performance.now() < until);
        if (++seen === 40) there.close();
      },
    });
    // 160 ms of work in turns of 12 ms; a machine that is busy makes turns longer, never fewer.
    expect(turns).toBeGreaterThanOrEqual(10);
  });

  test("flush() wakes a sleeping side once, however often it is called", async () => {
    const { here, there, memory } = bothEnds();
    const { done, frames } = listening(there);
    await Promise.resolve();
    const { other } = channelLayout(memory, "polling");
    const words = new Int32Array(memory);
    expect(Atomics.load(words, other.sleep)).toBe(SLEEP_FOR_FRAMES);
    let notified = 0;
    const { notify } = Atomics;
    Atomics.notify = (word: Int32Array | BigInt64Array, index: number, count?: number) => {
      notified++;
      return notify(word as Int32Array, index, count);
    };
    try {
      for (let number = 0; number < 10; number++) {
        send(here, 1, number);
        here.flush();
      }
    } finally {
      Atomics.notify = notify;
    }
    expect(notified).toBe(1);
    here.close();
    await done;
    expect(frames).toHaveLength(10);
  });
});
