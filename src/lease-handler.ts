import { ProcessError } from "./errors.ts";
import type { PipelineHost } from "./pipeline-host.ts";
import { InlineProcessor } from "./process/inline-processor.ts";
import { Instances } from "./process/instances.ts";
import type { ProcessListener, Processor } from "./process/processor.ts";
import type { ResolvedTopic } from "./resolve-topic.ts";
import type { Lease } from "./source/source.ts";

/** What runs the calls of one lease, and the long-lived consumers behind them. */
export interface LeaseHandler {
  readonly processor: Processor;
  readonly instances: Instances;
}

/** Opens the handler of a topic for one lease. */
export function openHandler(
  host: PipelineHost,
  { topic, partition }: Lease,
  { handler, manual }: ResolvedTopic,
  calls: ProcessListener,
): LeaseHandler {
  const info = { topic, partition, groupId: host.options.groupId };
  const instances = new Instances(handler, info, (hook, cause) =>
    host.report(new ProcessError(`Cannot run ${hook}() as it threw`, { cause })),
  );
  return { instances, processor: new InlineProcessor(calls, handler, !manual) };
}
