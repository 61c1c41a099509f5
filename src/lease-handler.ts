import { ProcessError } from "./errors.ts";
import { Instances, type LeaseHooks } from "./instances.ts";
import type { TopicHandler } from "./module-handlers.ts";
import type { Pipeline } from "./pipeline.ts";
import type { PipelineHost } from "./pipeline-host.ts";
import { InlineProcessor } from "./process/inline-processor.ts";
import type { ProcessListener, Processor } from "./process/processor.ts";
import { WorkerProcessor } from "./process/worker-processor.ts";

/** What runs the calls of one lease, and the long-lived consumers behind them. */
export interface LeaseHandler {
  readonly processor: Processor;
  readonly instances: LeaseHooks;
}

/** Opens the handler of a topic for one lease: in this thread, or in worker threads. */
export function openHandler(
  host: PipelineHost,
  pipeline: Pipeline,
  { handler }: TopicHandler,
  calls: ProcessListener,
): LeaseHandler {
  const { clock, drainTimeoutMs } = host.options;
  const { groupId, segment } = host.member;
  const { topic, partition } = pipeline.lease;
  const automatic = !pipeline.topic.manual;
  const onHookError = (hook: string, cause: unknown): void =>
    host.report(new ProcessError(`Cannot run ${hook}() as it threw`, { cause }));
  if (handler.form === "worker") {
    const processor = new WorkerProcessor(calls, handler, {
      ...{ topic, partition, clock, automatic, drainTimeoutMs, onHookError },
      unpark: (lane) => pipeline.unpark(lane),
    });
    return { processor, instances: processor.instances };
  }
  const info = { topic, partition, groupId, ...(segment !== null && { segment }) };
  const instances = new Instances(handler, info, onHookError);
  return { instances, processor: new InlineProcessor(calls, handler, automatic, instances) };
}
