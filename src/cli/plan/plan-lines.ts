import { type PartitionPlan, type PlanOptions, planPartitions } from "../../tools/index.ts";
import { barRows } from "../bar-rows.ts";
import { age, bytes, count, plural, rate } from "../format.ts";
import type { Paint } from "../paint.ts";
import { table } from "../table.ts";

const INDENT = "  ";
/** Peaks that the chart compares with the one that is asked for. */
const FACTORS = [0.5, 1, 1.5, 2, 4] as const;
const MAX_PEAK = 1e12;

/** A plan as people read it. */
export function planLines(
  options: PlanOptions,
  plan: PartitionPlan,
  paint: Paint,
  columns: number,
): string[] {
  const virtual = plan.maxPartitions !== undefined;
  const noun = virtual ? "virtual partition" : "partition";
  const title = `${plural(plan.required, noun)} for ${perSecond(options.peak)}`;
  return [
    paint.bold(title),
    "",
    ...indented(reasons(options, plan)),
    ...growth(options, paint, columns),
    ...storage(options, plan, paint),
    ...warnings(plan, paint),
  ];
}

function perSecond(value: number): string {
  return value === 0 ? "no messages" : rate(value).replace("/s", " messages/s");
}

function warnings({ warnings: all }: PartitionPlan, paint: Paint): string[] {
  if (all.length === 0) return [];
  const rows = all.map(({ code, message }) => [paint.yellow(code), message]);
  return ["", ...table(rows, ["left", "left"])];
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => INDENT + line);
}

function reasons(options: PlanOptions, plan: PartitionPlan): string[] {
  const { peak, buffer = 1.5, perPartition = 5000, handlerMs, perConsumer } = options;
  const each =
    handlerMs === undefined ? rate(perPartition) : `${rate(1000 / handlerMs)} (${handlerMs} ms)`;
  const members = perConsumer === undefined ? "" : `, each good for ${rate(perConsumer)}`;
  const { roundToConsumers, minAvailability } = options;
  const rows = [
    ["throughput", count(plan.throughput), `${rate(peak)} × ${buffer}, at ${each} each`],
  ];
  if (plan.maxPartitions === undefined || plan.consumers > 1) {
    rows.push(["consumers", count(plan.consumers), `members that read at once${members}`]);
  }
  if (minAvailability !== undefined) {
    rows.push(["availability", count(minAvailability), "at least"]);
  }
  const rounded = roundToConsumers === undefined ? "" : `, up to a multiple of ${roundToConsumers}`;
  rows.push(["required", count(plan.required), `the largest${rounded}`]);
  if (plan.maxPartitions === undefined) {
    const { name, inside } = plan.band;
    rows.push(["usual", name, inside ? "for such a peak" : "for such a peak: this is outside"]);
  }
  return table(rows, ["left", "right", "left"]);
}

/** What other peaks would need. */
function growth(options: PlanOptions, paint: Paint, columns: number): string[] {
  if (options.peak === 0) return [];
  const { currentPartitions: _, ...rest } = options;
  const rows = FACTORS.filter((factor) => options.peak * factor <= MAX_PEAK).map((factor) => {
    const peak = options.peak * factor;
    const { required } = planPartitions({ ...rest, peak });
    const cells = [`${factor} ×`, rate(peak), count(required)];
    return { cells, value: required, colour: factor === 1 ? paint.cyan : paint.dim };
  });
  const bars = barRows(rows, ["right", "right", "right"], paint, columns - INDENT.length);
  return ["", ...indented([paint.dim("if the peak were"), ...bars])];
}

function storage({ messageBytes }: PlanOptions, plan: PartitionPlan, paint: Paint): string[] {
  if (plan.bytes === undefined) return [];
  const { perSecond: all, perPartitionPerSecond, ...kept } = plan.bytes;
  const rows = [["written", `${bytes(all)}/s`, `${bytes(perPartitionPerSecond)}/s`]];
  if (kept.retained !== undefined) {
    rows.push(["kept", bytes(kept.retained), bytes(kept.retainedPerPartition!)]);
  }
  if (kept.segmentFillMs !== undefined && kept.segmentFillMs !== null) {
    rows.push(["a segment fills in", "", age(kept.segmentFillMs)]);
  }
  if (kept.segmentsPerPartition !== undefined) {
    rows.push(["segments", "", count(kept.segmentsPerPartition)]);
  }
  const head = ["", "topic", "partition"];
  const [heading, ...lines] = table([head, ...rows], ["left", "right", "right"]);
  const note = `at most, one copy, if the peak of ${bytes(messageBytes!)} messages never ended`;
  return ["", ...indented([paint.dim(heading!), ...lines, paint.dim(note)])];
}
