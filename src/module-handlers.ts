import { ClosedError, WorkerError } from "./errors.ts";
import type { SpawnThread, WorkerThread } from "./options.ts";
import type { ResolvedOptions } from "./resolve-options.ts";
import type { FunctionHandler, ModuleHandler, ResolvedTopic } from "./resolve-topic.ts";
import { processorCount } from "./runtime/processor-count.ts";
import { findThreads, type StartThread } from "./runtime/threads.ts";
import type { Deserializer } from "./types.ts";
import { Validator } from "./validate.ts";
import type { ModuleForm } from "./worker/frames.ts";
import { type WorkerHandler, WorkerPool } from "./worker/host/worker-pool.ts";
import { loadModule } from "./worker/load-module.ts";
import { threadEntryUrl } from "./worker/thread-entry-url.ts";

/** The handler of a topic as its leases get it. */
export interface TopicHandler {
  readonly handler: FunctionHandler | WorkerHandler;
  /** Of messages that are read in this thread. */
  readonly deserializer: Deserializer<unknown> | null;
  /** Its calls get batches. */
  readonly ofBatches: boolean;
}

/** What modules need of their consumer. */
export interface ModuleHost {
  readonly options: ResolvedOptions;
  readonly concurrency: () => number;
  readonly turn: () => void;
  readonly report: (error: unknown) => void;
  readonly fatal: (error: unknown) => void;
}

const check: Validator = new Validator("run a consumer");

/** The handlers of a consumer's topics: functions as they are, modules in worker threads, or here without any (W4). */
export class ModuleHandlers {
  readonly #host: ModuleHost;
  readonly #pools: WorkerPool[] = [];
  readonly #loaded = new Map<string, TopicHandler>();
  #closed = false;

  constructor(host: ModuleHost) {
    this.#host = host;
  }

  /** After `start()`. */
  handlerOf(topic: ResolvedTopic): TopicHandler {
    const { handler, deserializer, name } = topic;
    if (handler.form === "module") return this.#loaded.get(name)!;
    return { handler, deserializer, ofBatches: handler.form !== "eachMessage" };
  }

  /**
   * Starts the threads and loads the modules.
   *
   * @throws {WorkerError} When a module cannot be loaded (R8).
   */
  async start(): Promise<void> {
    const topics = [...this.#host.options.topics.values()];
    const modules = new Map<string, ResolvedTopic[]>();
    const served = new Map<SpawnThread, ResolvedTopic[]>();
    for (const topic of topics) {
      if (topic.handler.form !== "module") continue;
      const { module } = topic.handler as ModuleHandler;
      if (typeof module === "function") served.set(module, [...(served.get(module) ?? []), topic]);
      else modules.set(module, [...(modules.get(module) ?? []), topic]);
    }
    if (modules.size === 0 && served.size === 0) return;
    const size = this.#host.options.workers || (await processorCount());
    const start = await findThreads();
    for (const [spawn, of] of served) await this.#startServed(size, start !== null, spawn, of);
    if (modules.size === 0) return;
    if (start === null) await this.#runInline(modules, undefined);
    else await this.#startModules(size, start, modules);
  }

  /** Calls that still run are lost; hooks that run may end. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#pools.map((pool) => pool.close()));
  }

  async #startServed(
    size: number,
    hasThreads: boolean,
    spawn: SpawnThread,
    topics: readonly ResolvedTopic[],
  ): Promise<void> {
    if (!hasThreads) {
      const rule = "this runtime must have threads with shared memory";
      throw unavailable(`Cannot run a module in threads of its own file as ${rule}: received none`);
    }
    const pool = this.#pool(size, [], () => spawn());
    const [form] = await pool.start();
    for (const topic of topics) this.#use(topic, pool, 0, form!.form);
  }

  async #startModules(
    size: number,
    start: StartThread,
    modules: ReadonlyMap<string, readonly ResolvedTopic[]>,
  ): Promise<void> {
    const entry = threadEntryUrl();
    let refusal: unknown;
    const spawn = (name: string): WorkerThread => {
      try {
        return start(entry, name);
      } catch (error) {
        refusal = error;
        throw error;
      }
    };
    const pool = this.#pool(size, [...modules.keys()], spawn);
    let forms: readonly ModuleForm[];
    try {
      forms = await pool.start();
    } catch (error) {
      // Some hosts have the name of threads only.
      if (refusal === undefined) throw error;
      await this.#runInline(modules, refusal);
      return;
    }
    for (const [index, topics] of [...modules.values()].entries()) {
      for (const topic of topics) this.#use(topic, pool, index, forms[index]!.form);
    }
  }

  #pool(
    size: number,
    modules: readonly string[],
    spawn: ConstructorParameters<typeof WorkerPool>[0]["spawn"],
  ): WorkerPool {
    if (this.#closed) throw new ClosedError("Cannot start threads as the consumer is closed");
    const { options, concurrency, turn, report, fatal } = this.#host;
    const { clock, maxMetadataLength: maxTextLength, handlerTimeoutMs } = options;
    const limits = { size, clock, maxTextLength, handlerTimeoutMs, concurrency };
    const pool = new WorkerPool({ ...limits, modules, spawn, turn, report, fatal });
    this.#pools.push(pool);
    return pool;
  }

  #use(
    topic: ResolvedTopic,
    pool: WorkerPool,
    module: number,
    exported: FunctionHandler["form"],
  ): void {
    checkForm(topic, exported);
    const handler: WorkerHandler = { form: "worker", exported, pool, module };
    const { deserializer } = topic;
    this.#loaded.set(topic.name, { handler, deserializer, ofBatches: exported !== "eachMessage" });
  }

  /** W4: there are no threads here. */
  async #runInline(
    modules: ReadonlyMap<string, readonly ResolvedTopic[]>,
    cause: unknown,
  ): Promise<void> {
    const rule = "this runtime must have threads with shared memory";
    const message = `Cannot use worker threads as ${rule}: modules run in this thread instead`;
    this.#host.report(unavailable(message, cause));
    for (const [url, topics] of modules) {
      const { handler, deserializer } = await loadModule(url);
      for (const topic of topics) {
        checkForm(topic, handler.form);
        const ofBatches = handler.form !== "eachMessage";
        this.#loaded.set(topic.name, { handler, deserializer, ofBatches });
      }
    }
  }
}

function unavailable(message: string, cause?: unknown): WorkerError {
  return new WorkerError(message, { code: "HEADRACE_WORKERS_UNAVAILABLE", cause });
}

/** D3: what only the loaded module tells. */
function checkForm({ name, distribution }: ResolvedTopic, exported: string): void {
  if (distribution !== "per-key" || exported !== "consumer") return;
  const path = `topics[${JSON.stringify(name)}].virtualPartitions.distribution`;
  const rule = `${path} "per-key" works with eachMessage and eachBatch only`;
  throw check.typeError(rule, "a module that exports consumer");
}
