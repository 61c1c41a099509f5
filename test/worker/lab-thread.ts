/** A worker thread that does what its messages say: each value is a JSON list of steps. What happens is written down. */
import { threadId, workerData } from "node:worker_threads";
import type { Batch, Message, MessageContext, VirtualPartitionInfo } from "../../src/types.ts";
import { serve } from "../../src/worker/serve.ts";
import { SharedJournal } from "./journal.ts";
import type { LabData, LabEntry, Step } from "./lab.ts";
import { runStep } from "./lab-steps.ts";

const { form, gates, entries } = workerData as LabData;
const words = new Int32Array(gates);
const journal = new SharedJournal<LabEntry>(entries);

function note(what: string, fields: Record<string, unknown> = {}): void {
  journal.write({ thread: threadId, what, ...fields });
}

function stepsOf(message: Message): Step[] {
  const text = message.text();
  return text === null || text === "v" ? [] : (JSON.parse(text) as Step[]);
}

/** Synchronous as long as no step is asynchronous. */
function runSteps(
  steps: readonly Step[],
  message: Message,
  context: MessageContext,
): void | Promise<void> {
  for (const [index, step] of steps.entries()) {
    const result = runStep(step, { message, context, words, note });
    if (!(result instanceof Promise)) continue;
    return result.then(() => runSteps(steps.slice(index + 1), message, context));
  }
}

function handle(messages: readonly Message[], context: MessageContext): void | Promise<void> {
  const { virtualPartition, attempt, collapsed } = context;
  const offsets = messages.map((message) => message.offset);
  note("start", { offsets, virtualPartition, attempt, collapsed });
  const run = (from: number): void | Promise<void> => {
    for (let at = from; at < messages.length; at++) {
      const message = messages[at]!;
      const result = runSteps(stepsOf(message), message, context);
      if (result instanceof Promise) return result.then(() => run(at + 1));
    }
    note("end", { offsets });
  };
  return run(0);
}

function consumer(info: VirtualPartitionInfo) {
  const { virtualPartition } = info;
  note("made", { ...info });
  let calls = 0;
  const hook = (name: string) => (): void => note(name, { virtualPartition, calls });
  return {
    consume: (batch: Batch) => {
      calls++;
      return handle(batch.messages, batch);
    },
    flush: hook("flush"),
    shutdown: hook("shutdown"),
    revoked: hook("revoked"),
  };
}

const deserializer = (value: Uint8Array | null): string => `payload of ${value?.length} bytes`;

if (form === "eachMessage") {
  serve({ eachMessage: (message, context) => handle([message], context), deserializer });
} else if (form === "eachBatch") {
  serve({ eachBatch: (batch) => handle(batch.messages, batch), deserializer });
} else {
  serve({ consumer, deserializer });
}
