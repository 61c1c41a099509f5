import type { Partitioner } from "../../index.ts";
import type { DistributionAnalysis, SampleKey, SampleMessage } from "../../tools/index.ts";
import { CommandError, explainError } from "../command-error.ts";
import { bar, count, plural, rate } from "../format.ts";
import type { Paint } from "../paint.ts";
import { RateMeter } from "../run/rate-meter.ts";
import type { StatusLine } from "../status-line.ts";
import type { AnalysisInput } from "./analysis-input.ts";
import { CliMessage } from "./cli-message.ts";

const BAR_COLUMNS = 24;
/** Messages between two looks at the clock and at signals. */
const SLICE = 20_000;

/** What is read, and what it is read for. */
export interface Reading {
  readonly input: AnalysisInput;
  readonly analysis: DistributionAnalysis<SampleKey | SampleMessage>;
  /** null: by the message key. */
  readonly partitioner: Partitioner | null;
  readonly maxMessages: number;
  readonly status: StatusLine;
  readonly paint: Paint;
}

/**
 * Feeds an analysis until the input ends, enough is read, or the signal aborts; shows how far it is.
 *
 * @throws {CommandError} When `--key` cannot be read from a message.
 */
export async function readThrough(reading: Reading, signal: AbortSignal): Promise<void> {
  const { input, analysis, maxMessages, status } = reading;
  const rates = new RateMeter();
  const show = (): void => status.update(() => progressLine(reading, rates));
  try {
    for await (const part of input.parts(signal)) {
      for (let from = 0; from < part.length; from += SLICE) {
        const room = maxMessages - analysis.messages;
        const slice = part.slice(from, from + Math.min(SLICE, room));
        for (const one of slice) analysis.add(keyed(one, reading));
        show();
        if (analysis.messages >= maxMessages) return;
        // Signals arrive between turns of the event loop.
        await new Promise((resolve) => setImmediate(resolve));
        if (signal.aborted) return;
      }
    }
  } finally {
    status.clear();
  }
}

function keyed(
  one: CliMessage | Uint8Array | null,
  { partitioner, input }: Reading,
): SampleKey | SampleMessage {
  if (!(one instanceof CliMessage) || partitioner === null) return one;
  const { partition, offset } = one;
  try {
    return { key: partitioner(one.asMessage()), partition };
  } catch (error) {
    const where = `${input.name}#${partition} offset ${offset}`;
    throw new CommandError(
      `Cannot analyze as --key must be readable: received ${where}: ${explainError(error)}`,
    );
  }
}

function progressLine({ input, analysis, paint }: Reading, rates: RateMeter): string {
  const { share } = input.progress();
  const [filled, empty] = bar(share ?? 0, BAR_COLUMNS);
  const perSecond = rate(rates.measure(analysis.messages));
  const how =
    share === null
      ? plural(analysis.messages, "message")
      : `${paint.cyan(filled)}${paint.dim(empty)} ${String(Math.floor(share * 100)).padStart(3)} %  ` +
        count(analysis.messages);
  return `read  ${how}  ${perSecond}`;
}
