/** Where the time of a run goes, by stage: V8's CPU profiler, self time per source folder. Node only. */
import { Session } from "node:inspector/promises";

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
}

/** Self time in milliseconds by stage. */
export type StageTimes = ReadonlyMap<string, number>;

/** Profiles a run. */
export async function profileStages(run: () => Promise<unknown>): Promise<StageTimes> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: 100 });
  await session.post("Profiler.start");
  await run();
  const { profile } = await session.post("Profiler.stop");
  session.disconnect();
  const stages = new Map<number, string>();
  for (const node of profile.nodes as ProfileNode[]) stages.set(node.id, stageOf(node));
  const times = new Map<string, number>();
  const deltas = profile.timeDeltas ?? [];
  for (const [i, id] of (profile.samples ?? []).entries()) {
    const stage = stages.get(id)!;
    times.set(stage, (times.get(stage) ?? 0) + (deltas[i] ?? 0) / 1000);
  }
  return times;
}

/** The folder below src/ that a function lives in; files of src/ itself go by their name. */
function stageOf({ callFrame: { functionName, url } }: ProfileNode): string {
  if (url.includes("/node_modules/kafkajs/")) return "kafkajs";
  if (url.startsWith("wasm:")) return "wasm";
  if (url.includes("/bench/")) return "handler and checks";
  const file = /\/src\/(.+)$/.exec(url)?.[1];
  if (file !== undefined) return file.split("/")[0]!.replace(/\.[jt]s$/, "");
  if (functionName === "(garbage collector)") return "garbage collector";
  return functionName === "(idle)" ? "idle" : "runtime";
}
