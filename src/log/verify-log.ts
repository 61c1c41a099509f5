import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { setImmediate } from "node:timers";
import { LogError } from "../errors.ts";
import { errorCode, TEMPORARY } from "./files.ts";
import { livingHolder } from "./lock-file.ts";
import { listSegments, segmentName } from "./segment-names.ts";
import { FORMAT_VERSION, STORE_FILE } from "./store-json.ts";
import { TOPIC_FILE } from "./topic-json.ts";
import { descriptionProblem, readDescription } from "./verify-description.ts";
import { checkGroups } from "./verify-groups.ts";
import { outcomeOf } from "./verify-outcome.ts";
import { checkPartition } from "./verify-partition.ts";
import type { Damage, PartitionReport, VerifyReport } from "./verify-report.ts";

/** How far `verifyLog()` is. */
export interface VerifyProgress {
  /** Checked so far. */
  readonly bytes: number;
  /** All that was there when it began. */
  readonly totalBytes: number;
  /** What is being checked, as a path below the log's directory. */
  readonly file: string;
}

/** Options of `verifyLog()`. */
export interface VerifyOptions {
  /** Called every few MiB. */
  onProgress?: (progress: VerifyProgress) => void;
  /** Ends the check: it rejects with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Checks all of a log: every batch with its checksum and frames, every index, the chain of
 * segments, heads, descriptions and group offsets.
 *
 * Reads only, takes no lock, and works where `openLog()` would refuse. Beside a writer it checks what
 * may be read.
 *
 * @throws {LogError} When there is no log in the directory, or a writer opened it meanwhile and
 *   mended what had been found.
 * @example
 * const { ok, damages } = await verifyLog("./data");
 */
export async function verifyLog(
  directory: string,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const check = new LogCheck(rootOf(directory), options);
  return await check.run();
}

function rootOf(directory: string): string {
  try {
    const root = realpathSync(directory);
    const names = readdirSync(root);
    if (names.includes(STORE_FILE) || names.includes("topics")) return root;
  } catch (error) {
    const code = errorCode(error);
    if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
  }
  throw new LogError(
    `Cannot verify as the directory must hold a log: received no ${STORE_FILE} in ${directory}`,
  );
}

/** A partition that there is. */
interface FoundPartition {
  readonly directory: string;
  readonly topic: string;
  readonly partition: number;
}

class LogCheck {
  readonly #root: string;
  readonly #options: VerifyOptions;
  readonly #damages: Damage[] = [];
  #bytes = 0;
  #totalBytes = 0;

  constructor(root: string, options: VerifyOptions) {
    this.#root = root;
    this.#options = options;
  }

  async run(): Promise<VerifyReport> {
    const root = this.#root;
    const holder = livingHolder(join(root, "LOCK"));
    const epoch = this.#checkStore();
    const found = this.#checkTopics();
    this.#totalBytes = found.reduce((sum, { directory }) => sum + bytesIn(directory), 0);
    const partitions: PartitionReport[] = [];
    for (const one of found) {
      const report = await this.#checkPartition(one, epoch, !!holder);
      if (report !== undefined) partitions.push(report);
    }
    this.#refuseChanges(epoch, !!holder);
    const segments = partitions.flatMap((one) => one.segments);
    const sum = (field: "bytes" | "batches" | "records"): number =>
      segments.reduce((total, segment) => total + segment[field], 0);
    return {
      directory: root,
      ok: this.#damages.length === 0,
      writer: holder === undefined ? null : { pid: holder.pid, host: holder.host },
      bytes: sum("bytes"),
      segments: segments.length,
      batches: sum("batches"),
      records: sum("records"),
      partitions,
      damages: this.#damages,
      outcomes: partitions.flatMap((one) => outcomeOf(one, this.#of(one)) ?? []),
    };
  }

  #of({ topic, partition }: PartitionReport): Damage[] {
    return this.#damages.filter((one) => one.topic === topic && one.partition === partition);
  }

  /** @returns The epoch of the newest writer; undefined when nobody can say. */
  #checkStore(): number | undefined {
    const store = readDescription(join(this.#root, STORE_FILE));
    const problem = typeof store === "string" ? store : storeProblem(store);
    if (problem !== undefined) this.#add("store", STORE_FILE, null, problem);
    const epoch = typeof store === "string" ? undefined : store.writerEpoch;
    return Number.isInteger(epoch) ? (epoch as number) : undefined;
  }

  #checkTopics(): FoundPartition[] {
    const parent = join(this.#root, "topics");
    const names = directoriesIn(parent).filter((name) => !name.endsWith(TEMPORARY));
    names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
    return names.flatMap((name) => {
      const directory = join(parent, name);
      const path = join(directory, TOPIC_FILE);
      const problem = descriptionProblem(path, ["id", "partitions", "epoch"]);
      const json = readDescription(path);
      const known = typeof json === "object" && typeof json.name === "string" ? json.name : name;
      if (problem !== undefined)
        this.#add("description", relative(this.#root, path), known, problem);
      this.#damages.push(...checkGroups(this.#root, directory, known));
      const partitions = directoriesIn(join(directory, "partitions")).map(Number);
      return partitions
        .filter((partition) => Number.isInteger(partition))
        .sort((a, b) => a - b)
        .map((partition) => {
          const own = join(directory, "partitions", String(partition));
          return { directory: own, topic: known, partition };
        });
    });
  }

  /** @returns undefined when a live writer has deleted the topic. */
  async #checkPartition(
    found: FoundPartition,
    epoch: number | undefined,
    live: boolean,
  ): Promise<PartitionReport | undefined> {
    const root = this.#root;
    const maxEpoch = epoch ?? Number.POSITIVE_INFINITY;
    const onProgress = (bytes: number, file: string): Promise<void> => this.#progress(bytes, file);
    try {
      const plan = { ...found, root, maxEpoch, live, onProgress };
      const { damages, ...findings } = await checkPartition(plan);
      this.#damages.push(...damages);
      const { topic, partition } = found;
      return { topic, partition, ...findings };
    } catch (error) {
      if (live && errorCode(error) === "ENOENT" && !existsSync(found.directory)) return undefined;
      throw error;
    }
  }

  async #progress(bytes: number, file: string): Promise<void> {
    this.#bytes += bytes;
    const { onProgress, signal } = this.#options;
    signal?.throwIfAborted();
    onProgress?.({ bytes: this.#bytes, totalBytes: this.#totalBytes, file });
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** A writer that opens the log cuts torn tails and builds indexes: what was found may be over. */
  #refuseChanges(epoch: number | undefined, live: boolean): void {
    if (live || this.#damages.length === 0) return;
    const store = readDescription(join(this.#root, STORE_FILE));
    const now = typeof store === "string" ? undefined : store.writerEpoch;
    if (now === epoch) return;
    throw new LogError(
      "Cannot verify as no writer may open the log meanwhile: " +
        `received writer epoch ${String(now)} after ${String(epoch)}`,
      { retriable: true },
    );
  }

  #add(kind: Damage["kind"], file: string, topic: string | null, problem: string): void {
    const nowhere = { position: null, bytes: null, firstOffset: null, endOffset: null };
    this.#damages.push({ kind, file, topic, partition: null, ...nowhere, problem, loss: true });
  }
}

function storeProblem(store: Record<string, unknown>): string | undefined {
  if (store.format !== FORMAT_VERSION) {
    return `format ${String(store.format)} for ${FORMAT_VERSION}`;
  }
  return Number.isInteger(store.writerEpoch) ? undefined : "no writerEpoch";
}

/** Names of the directories in a directory; none when it does not exist. */
function directoriesIn(path: string): string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}

function bytesIn(directory: string): number {
  const sizes = listSegments(directory).map(
    (base) => statSync(join(directory, segmentName(base)), { throwIfNoEntry: false })?.size ?? 0,
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
