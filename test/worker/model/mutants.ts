import type { Change } from "./stepped-code.ts";

/** The protocol with one thing wrong, and the scenario that must show it. */
export interface Mutant extends Change {
  readonly name: string;
  readonly scenario: string;
  /** What goes wrong there. */
  readonly shows: RegExp;
}

const ANSWER = "a frame and its answer";
const FULL = "more frames than the ring holds";
const LATE = "more frames than the ring holds, at any time";
const AROUND = "frames around the end of the ring";

export const MUTANTS: readonly Mutant[] = [
  {
    name: "the head is stored before the frame is written",
    shows: /both threads touch byte/,
    scenario: ANSWER,
    file: "ring-writer",
    from: `    this.#putHeader(byteLength, kind);
    this.#head = (this.#head + FRAME_HEADER_BYTES + paddedTo8(byteLength)) | 0;`,
    to: `    this.#head = (this.#head + FRAME_HEADER_BYTES + paddedTo8(byteLength)) | 0;
    this.publish();
    this.#head = (this.#head - FRAME_HEADER_BYTES - paddedTo8(byteLength)) | 0;
    this.#putHeader(byteLength, kind);
    this.#head = (this.#head + FRAME_HEADER_BYTES + paddedTo8(byteLength)) | 0;`,
  },
  {
    name: "the head is stored without atomics",
    shows: /a control word is touched without atomics/,
    scenario: ANSWER,
    file: "ring-writer",
    from: "Atomics.store(this.#memory.words, this.#headWord, this.#head);",
    to: "this.#memory.words[this.#headWord] = this.#head;",
  },
  {
    name: "the tail is stored before the frame is read",
    shows: /both threads touch byte/,
    scenario: FULL,
    file: "channel-end",
    from: "          onFrame(this.#reader);\n          if",
    to: "          this.#release();\n          onFrame(this.#reader);\n          if",
  },
  {
    name: "a side sleeps without looking once more",
    shows: /sleeps for ever/,
    scenario: ANSWER,
    file: "channel-end",
    from: "if (!this.#hasWork(sends)) {",
    to: "{",
  },
  {
    name: "a side looks once more before it says that it sleeps",
    shows: /sleeps for ever/,
    scenario: ANSWER,
    file: "channel-end",
    from: `    this.#sleeper.fallAsleep(SLEEP_FOR_FRAMES | (sends ? SLEEP_FOR_ROOM : 0));
    // What came before the word was set rang for nobody: without this look it would lie there.
    if (!this.#hasWork(sends)) {`,
    to: `    const work = this.#hasWork(sends);
    this.#sleeper.fallAsleep(SLEEP_FOR_FRAMES | (sends ? SLEEP_FOR_ROOM : 0));
    if (!work) {`,
  },
  {
    name: "a side that waits for room does not look for it once more",
    shows: /the polling thread sleeps for ever/,
    scenario: FULL,
    file: "channel-end",
    from: "(sends && this.#out.look()) ||",
    to: "",
  },
  {
    name: "a side does not look once more whether the other one has closed",
    shows: /sleeps for ever/,
    scenario: ANSWER,
    file: "channel-end",
    from: ` ||
      Atomics.load(this.#words, this.#layout.other.closed) === 1`,
    to: "",
  },
  {
    name: "the sleep word does not say that room is waited for",
    shows: /the polling thread sleeps for ever/,
    scenario: FULL,
    file: "channel-end",
    from: "SLEEP_FOR_FRAMES | (sends ? SLEEP_FOR_ROOM : 0)",
    to: "SLEEP_FOR_FRAMES",
  },
  {
    name: "a side that sleeps already does not hear that its own frames wait",
    shows: /the polling thread sleeps for ever/,
    scenario: LATE,
    file: "channel-end",
    from: "if (this.#sleeper.sleepsWithout(SLEEP_FOR_ROOM)) this.#sleeper.wakeSelf();",
    to: "",
  },
  {
    name: "the reader makes room and wakes nobody",
    shows: /the polling thread sleeps for ever/,
    scenario: FULL,
    file: "channel-end",
    from: "if (this.#in.release()) this.#waker.wake(SLEEP_FOR_ROOM);",
    to: "this.#in.release();",
  },
  {
    name: "the other side is woken before it can see the frames",
    shows: /sleeps for ever/,
    scenario: ANSWER,
    file: "channel-end",
    from: "if (this.#out.publish()) this.#waker.wake(SLEEP_FOR_FRAMES);",
    to: "if (this.#out.hidesMuch) this.#waker.wake(SLEEP_FOR_FRAMES);\n    this.#out.publish();",
  },
  {
    name: "whoever wakes the other side leaves its sleep word",
    shows: /sleeps for ever/,
    scenario: ANSWER,
    file: "sleep",
    from: "const how = Atomics.exchange(this.#words, this.#word, 0);",
    to: "const how = Atomics.load(this.#words, this.#word);",
  },
  {
    name: "the sleep word is taken back and nobody rings",
    shows: /sleeps for ever/,
    scenario: ANSWER,
    file: "sleep",
    from: "else Atomics.notify(this.#words, this.#word, 1);",
    to: "",
  },
  {
    name: "a thread that has blocked takes back its sleep word before it waits on",
    shows: /sleeps for ever/,
    scenario: "a thread that blocks",
    file: "channel-end",
    from: "if (await this.#sleeper.wait()) this.#turns.begin();",
    to: "this.#sleeper.getUp();\n        await this.#sleeper.wait();",
  },
  {
    name: "a side that sleeps by bell does not say so",
    shows: /sleeps for ever/,
    scenario: "sleep by bell",
    file: "sleep",
    from: "this.#how = wants | (this.#byBell ? SLEEP_BY_BELL : 0);",
    to: "this.#how = wants;",
  },
  {
    name: "the writer takes more room than there is",
    shows: /both threads touch byte|frames came as|both sides .* know the same fields/,
    scenario: FULL,
    file: "ring-writer",
    from: "return this.#capacity - ((this.#head - this.#tail) | 0);",
    to: "return this.#capacity + 32 - ((this.#head - this.#tail) | 0);",
  },
  {
    name: "a frame is written past the end of the ring",
    shows: /a frame lies between tail and head/,
    scenario: AROUND,
    file: "ring-writer",
    from: "const skipped = needed <= toEnd ? 0 : toEnd;",
    to: "const skipped = 0;",
  },
  {
    name: "the padding before the end of the ring is not counted as room",
    shows: /both threads touch byte/,
    scenario: AROUND,
    file: "ring-writer",
    from: `    if (this.#free() < skipped + needed) {
      this.look();
      if (this.#free() < skipped + needed) return false;`,
    to: `    if (this.#free() < needed) {
      this.look();
      if (this.#free() < needed) return false;`,
  },
  {
    name: "the reader takes padding for a frame",
    shows: /has kind 65536/,
    scenario: AROUND,
    file: "ring-reader",
    from: "if (kind & PADDING_FLAG) continue;",
    to: "",
  },
  {
    name: "a frame overtakes those that wait for room",
    shows: /frames came as/,
    scenario: "a short frame behind one that waits",
    file: "channel-end",
    from: "if (this.#queue.isEmpty) this.#out.begin(this.#writer);\n    else this.#writer.beginMoved();",
    to: "this.#out.begin(this.#writer);",
  },
  {
    name: "whether the other side has closed is looked at after its frames",
    shows: /of 2 frames came/,
    scenario: FULL,
    file: "channel-end",
    from: `      const otherClosed = Atomics.load(this.#words, this.#layout.other.closed) === 1;
      const more = this.#readTurn(options.onFrame);`,
    to: `      const more = this.#readTurn(options.onFrame);
      const otherClosed = Atomics.load(this.#words, this.#layout.other.closed) === 1;`,
  },
  {
    name: "a side closes and wakes nobody",
    shows: /sleeps for ever/,
    scenario: ANSWER,
    file: "channel-end",
    from: "this.#layout.own.closed, 1);\n    this.#waker.wake(SLEEP_FOR_FRAMES);",
    to: "this.#layout.own.closed, 1);",
  },
  {
    name: "a side closes before its frames have left",
    shows: /of 2 frames came/,
    scenario: FULL,
    file: "channel-end",
    from: "} else if (this.#closing) this.#sayClosed();",
    to: "}\n    if (this.#closing) this.#sayClosed();",
  },
  {
    name: "abandon() leaves it to the other side to ring",
    shows: /the polling thread sleeps for ever/,
    scenario: "the worker dies",
    file: "sleep",
    from: `    Atomics.store(this.#words, this.#word, 0);
    // Also when the other side was about to: it may be dead by now.
    Atomics.notify(this.#words, this.#word, 1);`,
    to: `    if (Atomics.exchange(this.#words, this.#word, 0) === 0) return;
    Atomics.notify(this.#words, this.#word, 1);`,
  },
  {
    name: "pieces of a frame may be mixed with other frames",
    shows: /frames came as/,
    scenario: "a frame larger than the ring takes, and a short one",
    file: "channel-end",
    from: "if (!this.#queue.isEmpty || byteLength > this.#out.maxFrameBytes) return false;",
    to: "if (byteLength > this.#out.maxFrameBytes) return false;",
  },
];
