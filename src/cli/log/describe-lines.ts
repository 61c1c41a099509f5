import { age, bytes, count, plural } from "../format.ts";
import type { Paint } from "../paint.ts";
import { table } from "../table.ts";
import type { DescribedPartition, DescribedSegment, DescribedTopic } from "./describe.ts";
import { drawPartition } from "./draw-partition.ts";

/** Segments that are listed unless all are wanted: the newest. */
const SEGMENTS_LISTED = 8;
const INDENT = "  ";

/** How a description looks. */
export interface DescribeStyle {
  /** Characters per line. */
  readonly columns: number;
  /** List every segment. */
  readonly all: boolean;
  readonly nowMs: number;
  readonly paint: Paint;
}

/** What a person reads of some topics. */
export function describeLines(topics: readonly DescribedTopic[], style: DescribeStyle): string[] {
  if (topics.length === 0) return ["No topics"];
  return topics.flatMap((topic, at) => [...(at > 0 ? [""] : []), ...topicLines(topic, style)]);
}

function topicLines(topic: DescribedTopic, style: DescribeStyle): string[] {
  const { partitions, messages, groups } = topic;
  const sizes = [
    plural(partitions.length, "partition"),
    plural(messages, "message"),
    bytes(topic.bytes),
    plural(groups.length, "group"),
  ];
  return [
    `${style.paint.bold(topic.topic)}  ${sizes.join(", ")}`,
    ...storedLines(topic.options),
    ...groups.flatMap(({ groupId, process }) =>
      process === null ? [] : [`${INDENT}${groupId} runs in process ${process.pid}`],
    ),
    ...partitions.flatMap((partition) => ["", ...partitionLines(partition, style)]),
  ];
}

/** Options as they are named in code: retention.maxAgeMs 60000. */
function storedLines(options: DescribedTopic["options"]): string[] {
  return Object.entries(options).flatMap(([name, members]) =>
    members === null
      ? [`${INDENT}${name} off`]
      : Object.entries(members).map(([member, value]) => `${INDENT}${name}.${member} ${value}`),
  );
}

function partitionLines(partition: DescribedPartition, style: DescribeStyle): string[] {
  const { columns, nowMs, paint } = style;
  const { segments, logStart, logEnd, lastAppendTime } = partition;
  const drawn = {
    logStart,
    logEnd,
    segments,
    groups: partition.groups.flatMap(({ groupId, offset }) =>
      offset === null ? [] : [{ groupId, offset }],
    ),
  };
  const facts = [
    plural(logEnd - logStart, "message"),
    bytes(partition.bytes),
    ...(lastAppendTime === null ? [] : [`newest ${age(nowMs - lastAppendTime)} old`]),
  ];
  const picture = drawPartition(drawn, Math.max(20, columns - INDENT.length), paint);
  return [
    `${paint.bold(`partition ${partition.partition}`)}  ${facts.join(", ")}`,
    ...picture.map((line) => INDENT + line),
    ...segmentLines(segments, style),
  ];
}

function segmentLines(segments: readonly DescribedSegment[], style: DescribeStyle): string[] {
  if (segments.length === 0) return [];
  const { all, nowMs, paint } = style;
  const shown = all ? segments : segments.slice(-SEGMENTS_LISTED);
  const rows = shown.map((segment) => [
    `${INDENT}${segment.sealed ? "sealed" : paint.green("active")}`,
    count(segment.baseOffset),
    count(segment.nextOffset - 1),
    count(segment.nextOffset - segment.baseOffset),
    bytes(segment.bytes),
    segment.firstAppendTime === null ? "-" : age(nowMs - segment.firstAppendTime),
  ]);
  const heading = [`${INDENT}segment`, "first", "last", "messages", "bytes", "age"];
  const hidden = segments.length - shown.length;
  return [
    ...table([heading, ...rows], ["left", "right", "right", "right", "right", "right"]),
    ...(hidden === 0 ? [] : [`${INDENT}and ${plural(hidden, "older one")}: --all lists them`]),
  ];
}
