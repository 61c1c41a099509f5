/** The name of a topic partition in traces. */
export function nameOf({
  topic,
  partition,
}: {
  readonly topic: string;
  readonly partition: number;
}): string {
  return `${topic}#${partition}`;
}
