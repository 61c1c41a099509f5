const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** A whole number with thousands separated: 10,000. */
export function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** Messages per second: 9.5/s, 158/s, 471k/s. */
export function rate(perSecond: number): string {
  if (!Number.isFinite(perSecond)) return "-";
  if (perSecond >= 100_000) return `${count(perSecond / 1000)}k/s`;
  return `${perSecond < 10 ? perSecond.toFixed(1) : count(perSecond)}/s`;
}

/** A span of time: 340 ms, 2.4 s, 64 s. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${count(ms / 1000)} s`;
}

/** A number and its noun: 1 message, 2 messages. */
export function plural(value: number, noun: string, many: string = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : many}`;
}

/** The filled and the empty part of a progress bar, together `width` characters. */
export function bar(share: number, width: number): readonly [filled: string, empty: string] {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width);
  return ["━".repeat(filled), "─".repeat(width - filled)];
}

/** A size: 812 B, 4.5 KiB, 64 MiB. */
export function bytes(value: number): string {
  let [size, unit] = [value, 0];
  while (size >= 1024 && unit < BYTE_UNITS.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${size < 10 && unit > 0 ? size.toFixed(1) : count(size)} ${BYTE_UNITS[unit]}`;
}

/** How long ago something was: 5 s, 12 min, 3.5 h, 40 d. */
export function age(ms: number): string {
  const steps = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "min"],
  ] as const;
  for (const [unitMs, unit] of steps) {
    if (ms < unitMs) continue;
    const value = ms / unitMs;
    return `${value < 10 ? value.toFixed(1) : count(value)} ${unit}`;
  }
  return `${count(Math.max(0, ms) / 1000)} s`;
}
