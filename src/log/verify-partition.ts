import { closeSync, fstatSync, openSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { CorruptLogError } from "../errors.ts";
import { errorCode, readIfThere } from "./files.ts";
import { HEAD_MAGIC, HEAD_SLOT_BYTES, type HeadState, readHead } from "./head-file.ts";
import { HOLES_FILE, type Hole, readHoles } from "./holes.ts";
import { indexPath, listSegments, segmentName, timeIndexPath } from "./segment-names.ts";
import { slotStates } from "./slots.ts";
import { IndexCheck, offsetIndexKind, timeIndexKind } from "./verify-index.ts";
import type { Damage, DamageKind, SegmentReport } from "./verify-report.ts";
import { checkSegment, type Flaw, type SegmentCheck } from "./verify-segment.ts";

/** Which partition to check, and how. */
export interface PartitionPlan {
  /** The log's directory: file names are given relative to it. */
  readonly root: string;
  readonly directory: string;
  readonly topic: string;
  readonly partition: number;
  /** Epoch of the newest writer there can have been. */
  readonly maxEpoch: number;
  /** A writer has the log open: only what `head` says is looked at. */
  readonly live: boolean;
  /** Called now and then with what was checked since; gives way to others. */
  readonly onProgress: (bytes: number, file: string) => Promise<void>;
}

/** What was found in a partition. */
export interface PartitionFindings {
  readonly logStart: number;
  readonly logEnd: number;
  readonly segments: readonly SegmentReport[];
  readonly damages: readonly Damage[];
}

/** Checks head, chain, batches and indexes of one partition. Reads only. */
export async function checkPartition(plan: PartitionPlan): Promise<PartitionFindings> {
  const check = new PartitionCheck(plan);
  await check.run();
  const { logStart, logEnd, segments, damages } = check;
  return { logStart, logEnd, segments, damages };
}

/** An index beside a sealed segment. */
interface StoredIndex {
  readonly kind: "index" | "time-index";
  readonly file: string;
  readonly index: IndexCheck;
}

function indexesOf(path: string, baseOffset: number): StoredIndex[] {
  const [offsets, times] = [indexPath(path), timeIndexPath(path)];
  return [
    {
      kind: "index",
      file: offsets,
      index: new IndexCheck(offsetIndexKind, readIfThere(offsets), baseOffset),
    },
    {
      kind: "time-index",
      file: times,
      index: new IndexCheck(timeIndexKind, readIfThere(times), baseOffset),
    },
  ];
}

/** What the indexes say that the `.log` had; the larger one, should they differ. */
function sealedBytes(indexes: readonly StoredIndex[]): number | undefined {
  const sizes = indexes.flatMap(({ index }) => index.sealedBytes ?? []);
  return sizes.length === 0 ? undefined : Math.max(...sizes);
}

/** Slots that a live writer is writing look damaged for a moment. */
const HEAD_LOOKS = 5;

class PartitionCheck {
  readonly #plan: PartitionPlan;
  readonly #head: HeadState | undefined;
  readonly segments: SegmentReport[] = [];
  readonly damages: Damage[] = [];
  readonly logStart: number;
  /** Where the next segment must begin. */
  logEnd: number;
  readonly #bases: readonly number[];
  /** Offsets that are declared as gone. */
  readonly #holes: readonly Hole[];

  constructor(plan: PartitionPlan) {
    this.#plan = plan;
    const path = join(plan.directory, "head");
    this.#head = readHead(path)?.state;
    const start = this.#head?.logStart ?? 0;
    const active = this.#head?.activeBase;
    // Below the start lies what retention was removing; above the head, what a writer has just begun.
    const isOurs = (base: number): boolean => {
      if (plan.live) return base >= start && active !== undefined && base <= active;
      return base >= Math.min(start, active ?? start);
    };
    this.#bases = listSegments(plan.directory).filter(isOurs);
    this.logStart = this.#head === undefined ? (this.#bases[0] ?? 0) : start;
    this.logEnd = this.logStart;
    this.#holes = this.#readHoles();
    this.#checkHead(path);
  }

  async run(): Promise<void> {
    for (const base of this.#bases) await this.#checkNext(base);
    const head = this.#head;
    const last = this.#bases.at(-1);
    if (head === undefined || (last ?? 0) >= head.activeBase) return;
    this.#add("missing", segmentName(head.activeBase), {
      firstOffset: this.logEnd,
      endOffset: head.nextOffset,
      problem: "no such file, which the head names as the newest",
    });
  }

  #readHoles(): readonly Hole[] {
    try {
      return readHoles(this.#plan.directory);
    } catch (error) {
      if (!(error instanceof CorruptLogError)) throw error;
      this.#add("description", HOLES_FILE, { problem: "no list of offsets that are gone" });
      return [];
    }
  }

  #holeEnd(offset: number): number | undefined {
    return this.#holes.find(({ from, to }) => from <= offset && offset < to)?.to;
  }

  #checkHead(path: string): void {
    for (let look = 1; ; look++) {
      const bytes = readIfThere(path);
      const states = bytes === undefined ? [] : slotStates(bytes, HEAD_SLOT_BYTES, HEAD_MAGIC);
      const slot = states.indexOf("damaged");
      if (slot === -1) return;
      if (this.#plan.live && look < HEAD_LOOKS) continue;
      const other = states.includes("good") ? "the other slot counts" : "the segments are walked";
      this.#add("head", "head", {
        position: slot * HEAD_SLOT_BYTES,
        bytes: HEAD_SLOT_BYTES,
        problem: `a damaged slot; ${other}`,
      });
      return;
    }
  }

  async #checkNext(base: number): Promise<void> {
    const name = segmentName(base);
    // What is declared as gone is not missing any more.
    const expected = this.#holeEnd(this.logEnd) ?? this.logEnd;
    if (base > expected) this.#addGap(name, expected, base);
    else if (base < expected) {
      this.#add("missing", name, {
        firstOffset: base,
        endOffset: expected,
        problem: `a segment from offset ${base} on, where ${expected} comes next`,
        loss: true,
      });
    }
    const fd = this.#open(base);
    if (fd === undefined) return;
    try {
      await this.#checkSegment(fd, base);
    } finally {
      closeSync(fd);
    }
  }

  /** Offsets that no segment has: at the end of a damaged one, or because a file is gone. */
  #addGap(name: string, from: number, to: number): void {
    const last = this.damages.at(-1);
    if (last?.kind === "batch" && last.endOffset === null && last.firstOffset === from) {
      this.damages[this.damages.length - 1] = { ...last, endOffset: to };
      return;
    }
    this.#add("missing", name, {
      firstOffset: from,
      endOffset: to,
      problem: `nothing before it that holds offsets ${from} to ${to - 1}`,
    });
  }

  #open(base: number): number | undefined {
    try {
      return openSync(join(this.#plan.directory, segmentName(base)), "r");
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
    }
    // Retention is faster than this check.
    const head = readHead(join(this.#plan.directory, "head"))?.state;
    if (head === undefined || head.logStart <= base) {
      this.#add("missing", segmentName(base), { problem: "a file that is gone meanwhile" });
    } else this.logEnd = head.logStart;
    return undefined;
  }

  async #checkSegment(fd: number, baseOffset: number): Promise<void> {
    const name = segmentName(baseOffset);
    const isLast = baseOffset === this.#bases.at(-1);
    const isActive = baseOffset === this.#head?.activeBase;
    const fileBytes = fstatSync(fd).size;
    const size = this.#plan.live && isActive ? this.#head.writtenBytes : fileBytes;
    const path = join(this.#plan.directory, name);
    const indexes = isLast ? [] : indexesOf(path, baseOffset);
    const check = await this.#walk(fd, size, baseOffset, indexes);
    const synced = isActive ? this.#head.syncedBytes : 0;
    for (const flaw of check.flaws) {
      const torn = isLast && !this.#plan.live && flaw.endOffset === null && flaw.position >= synced;
      this.#addFlaw(name, flaw, torn);
    }
    const promised = this.#plan.live && isActive ? size : (sealedBytes(indexes) ?? synced);
    if (fileBytes < promised) this.#addShortFile(name, fileBytes, promised, check);
    const whole = check.flaws.length === 0 && fileBytes >= promised;
    for (const { kind, file, index } of whole ? indexes : []) {
      const problem = index.problem(check, size);
      if (problem !== undefined) this.#add(kind, basename(file), { problem });
    }
    const { nextOffset, batches, records } = check;
    const file = this.#file(name);
    const sealed = !isLast;
    this.segments.push({ file, baseOffset, nextOffset, sealed, bytes: size, batches, records });
    this.logEnd = nextOffset;
  }

  async #walk(
    fd: number,
    size: number,
    baseOffset: number,
    indexes: readonly StoredIndex[],
  ): Promise<SegmentCheck> {
    const { maxEpoch, onProgress } = this.#plan;
    const file = this.#file(segmentName(baseOffset));
    const steps = checkSegment({
      fd,
      size,
      baseOffset,
      maxEpoch,
      onBatch: (batch) => {
        for (const { index } of indexes) index.batch(batch);
      },
    });
    let told = 0;
    for (;;) {
      const step = steps.next();
      const reached = step.done ? size : step.value;
      await onProgress(reached - told, file);
      told = reached;
      if (step.done) return step.value;
    }
  }

  #addFlaw(name: string, flaw: Flaw, torn: boolean): void {
    const { position, bytes, firstOffset, endOffset, problem } = flaw;
    const kind = torn ? "torn-tail" : "batch";
    const offsets = torn ? {} : { firstOffset, endOffset };
    this.#add(kind, name, { position, bytes, ...offsets, problem, loss: !torn });
  }

  #addShortFile(name: string, bytes: number, promised: number, check: SegmentCheck): void {
    // A batch that is cut off there is told already.
    if (check.flaws.at(-1)?.endOffset === null) return;
    this.#add("batch", name, {
      position: bytes,
      firstOffset: check.nextOffset,
      problem: `the end of a file that had ${promised} bytes`,
    });
  }

  #file(name: string): string {
    return relative(this.#plan.root, join(this.#plan.directory, name));
  }

  #add(kind: DamageKind, name: string, damage: Partial<Damage> & { problem: string }): void {
    const { topic, partition } = this.#plan;
    const nowhere = { position: null, bytes: null, firstOffset: null, endOffset: null };
    const loss = kind === "batch" || kind === "missing" || kind === "description";
    this.damages.push({
      kind,
      file: this.#file(name),
      topic,
      partition,
      ...nowhere,
      loss,
      ...damage,
    });
  }
}
