/** The worker of the ring bench: answers jobs the way they came. */
import { parentPort, workerData } from "node:worker_threads";
import { joinChannel } from "../../src/worker/create-channel.ts";
import { frameMemory } from "../../src/worker/frame-memory.ts";
import type { FrameReader } from "../../src/worker/frame-reader.ts";
import { KEY_WORD, RECORD_BYTES, readBytes, VALUE_WORD } from "../../src/worker/message-layout.ts";
import { ANSWER_KIND, CALL_KIND, messageAnswer, numbersAnswer } from "./ring-jobs.ts";

interface PostedJob {
  readonly id: number;
  readonly a: number;
  readonly b: number;
}

interface PostedMessage {
  readonly id: number;
  readonly offset: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What the other side posts. */
type Posted =
  | { readonly way: "numbers"; readonly jobs: readonly PostedJob[] }
  | { readonly way: "messages"; readonly jobs: readonly PostedMessage[] }
  | { readonly way: "packed"; readonly first: number; count: number; readonly packed: ArrayBuffer };

interface ThreadData {
  readonly memory: SharedArrayBuffer;
  readonly blockMs: number;
  readonly byBell: boolean;
}

const { memory, blockMs, byBell } = workerData as ThreadData;
const port = parentPort!;
const { end, messages } = joinChannel(memory, {
  sleepsByBell: byBell,
  ring: () => port.postMessage("bell"),
});
const origin = { topic: "bench", partition: 0, deserializer: null };

port.on("message", (posted: Posted | "bell") => {
  if (posted === "bell") return end.rung();
  const answers: { id: number; answer: number }[] = [];
  if (posted.way === "numbers") {
    for (const { id, a, b } of posted.jobs) answers.push({ id, answer: numbersAnswer(id, a, b) });
  } else if (posted.way === "messages") {
    for (const { id, key, value, offset } of posted.jobs) {
      answers.push({ id, answer: messageAnswer(key, value, offset) });
    }
  } else unpack(posted.first, posted.count, posted.packed, answers);
  port.postMessage(answers);
});

function unpack(
  first: number,
  count: number,
  packed: ArrayBuffer,
  answers: { id: number; answer: number }[],
): void {
  const own = frameMemory(packed);
  for (let index = 0; index < count; index++) {
    const record = index * RECORD_BYTES;
    const key = readBytes(own, 0, record, KEY_WORD)!;
    const value = readBytes(own, 0, record, VALUE_WORD)!;
    const answer = messageAnswer(key, value, own.floats[record >> 3]!);
    answers.push({ id: first + index, answer });
  }
}

function answerOf(frame: FrameReader, id: number): number {
  if (frame.kind !== CALL_KIND) return numbersAnswer(id, frame.u32(), frame.u32());
  const call = messages.read(frame, origin);
  const { key, value, offset } = call.at(0);
  const answer = messageAnswer(key!, value!, offset);
  call.expire();
  return answer;
}

function onFrame(frame: FrameReader): void {
  const id = frame.u32();
  const answer = answerOf(frame, id);
  const reply = end.begin(ANSWER_KIND);
  reply.u32(id);
  reply.u32(answer);
  end.commit();
}

port.postMessage("ready");
await end.listen(blockMs > 0 ? { onFrame, blockMs: () => blockMs } : { onFrame });
