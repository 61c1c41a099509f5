import { type DistributionReport, type HotKey, keyText, percent } from "../../tools/index.ts";
import { count, plural, rate } from "../format.ts";
import { escapeHtml, inlineHtml, rowBar, uprightBars } from "./html-charts.ts";
import { statisticRows } from "./statistic-rows.ts";

/** Up to so many partitions each has a row of its own. */
const MAX_ROWS = 48;
/** Above so much of the mean a partition is called busy. */
const BUSY = 1.25;

/** How partitions are called. */
function noun({ placement }: DistributionReport): string {
  return placement === "virtual" ? "virtual partition" : "partition";
}

function section(title: string, ...content: readonly string[]): string {
  return `<section><h2>${escapeHtml(title)}</h2>${content.join("")}</section>`;
}

/** A table; the first cell of a row names it, and cells are HTML. */
function table(
  caption: string,
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  numbers: readonly number[],
): string {
  const style = (at: number): string => (numbers.includes(at) ? ' class="number"' : "");
  const head = heads.map((name, at) => `<th scope="col"${style(at)}>${escapeHtml(name)}</th>`);
  const body = rows.map((cells) => {
    const [first, ...rest] = cells;
    const others = rest.map((cell, at) =>
      cell.startsWith("<svg")
        ? `<td class="draw">${cell}</td>`
        : `<td${style(at + 1)}>${cell}</td>`,
    );
    return `<tr><th scope="row"${style(0)}>${first}</th>${others.join("")}</tr>`;
  });
  return (
    `<table><caption>${escapeHtml(caption)}</caption><thead><tr>${head.join("")}</tr></thead>` +
    `<tbody>${body.join("")}</tbody></table>`
  );
}

function legend(items: readonly (readonly [style: string, text: string])[]): string {
  const spans = items.map(([style, text]) => `<span class="${style}">${escapeHtml(text)}</span>`);
  return `<div class="legend">${spans.join("")}</div>`;
}

/** Bars of all partitions, or their outline and a table. */
export function countSection(report: DistributionReport): string {
  const { counts, total } = report;
  const mean = total / counts.length;
  const top = Math.max(...counts);
  const what = noun(report);
  const title = `Messages per ${what}`;
  const explained = legend([
    ["is-bar", what],
    ["is-high", `busy: more than ${BUSY} × the mean (▲)`],
    ["is-mark", `mean, ${count(mean)}`],
  ]);
  const busy = (value: number): boolean => value > BUSY * mean;
  const numbers = counts.map((value, at) => {
    const marked = `${busy(value) ? "▲ " : ""}${count(value)}`;
    return [String(at), marked, percent(value / total)];
  });
  const caption = `${plural(counts.length, what)}, ${plural(total, "message")}`;
  if (counts.length <= MAX_ROWS) {
    const rows = numbers.map((cells, at) => {
      const bar = rowBar(counts[at]! / top, { high: busy(counts[at]!), mark: mean / top });
      return [...cells, bar];
    });
    return section(
      title,
      table(caption, ["no.", "messages", "share", ""], rows, [0, 1, 2]),
      explained,
    );
  }
  const nameOf = (first: number, last: number, value: number): string =>
    first === last
      ? `${what} ${first}: ${count(value)}`
      : `${what}s ${first} to ${last}: ${count(value)} at most`;
  const label = `${title}: from ${count(Math.min(...counts))} to ${count(top)}, mean ${count(mean)}`;
  const drawn = uprightBars({ values: counts, mean, highAbove: BUSY * mean, label, nameOf });
  return section(
    title,
    `<div class="axis"><span>${count(top)}</span></div>${drawn}`,
    `<div class="axis"><span>0</span><span>${counts.length - 1}</span></div>`,
    explained,
    `<details><summary>All numbers</summary><div class="scroll" tabindex="0" role="region" ` +
      `aria-label="${escapeHtml(title)}">${table(caption, ["no.", "messages", "share"], numbers, [0, 1, 2])}` +
      "</div></details>",
  );
}

/** A key as code, without the marks that text needs. */
function keyHtml(key: HotKey): string {
  const html = inlineHtml(keyText(key));
  return html.startsWith("<code>") ? html : `<code>${html}</code>`;
}

/** The most frequent keys, against the share of one partition. */
export function keySection(report: DistributionReport): string {
  const { keys, hotKeys, counts } = report;
  if (keys === null) return "";
  const about = keys.exact ? "" : "about ";
  const keyless =
    keys.withoutKey === 0 ? "" : `, ${plural(keys.withoutKey, "message")} without a key`;
  const caption = `${about}${plural(keys.distinct, "different key")}${keyless}`;
  const title = "Most frequent keys";
  if (hotKeys.length === 0)
    return section(title, `<p>${escapeHtml(`${caption}; none is frequent`)}</p>`);
  const fair = 1 / counts.length;
  const top = hotKeys[0]!.share;
  const rows = hotKeys.map((key) => {
    const high = counts.length > 1 && key.share > fair;
    const bar = rowBar(key.share / top, counts.length > 1 ? { high, mark: fair / top } : {});
    const most = `${high ? "▲ " : ""}${keys.exact ? "" : "≤ "}${count(key.count)}`;
    return [keyHtml(key), most, percent(key.share), bar];
  });
  const explained = legend([
    ["is-bar", "key"],
    ["is-high", `hot: more than one ${noun(report)}'s share (▲)`],
    ...(fair <= top ? [["is-mark", `that share, ${percent(fair)}`] as const] : []),
  ]);
  return section(title, table(caption, ["key", "messages", "share", ""], rows, [1, 2]), explained);
}

/** What the distributions would do. */
export function predictionSection({ prediction }: DistributionReport): string {
  if (prediction === null) return "";
  const { handlerMs, partitions, batchSize, messages, distributions, choose, reason } = prediction;
  const top = Math.max(...distributions.map(({ speedUp }) => speedUp));
  const rows = distributions.map(({ distribution, speedUp, rate: perSecond }) => [
    distribution === choose ? `<strong>${distribution} ✓</strong>` : distribution,
    `${speedUp.toFixed(1)} ×`,
    rate(perSecond),
    rowBar(speedUp / top),
  ]);
  const caption =
    `handlers that wait ${handlerMs} ms, ${plural(partitions, "call")} at once, ` +
    `${plural(batchSize, "message")} polled, from the first ${plural(messages, "message")}`;
  return section(
    "Predicted speed-up",
    table(caption, ["distribution", "speed-up", "rate", ""], rows, [1, 2]),
    `<p>Choose <strong>${choose}</strong>: ${reason}.</p>`,
  );
}

/** All statistics with what they mean, and other hashes. */
export function numberSection(report: DistributionReport): string {
  const rows = statisticRows(report).map(({ name, value, meaning }) => [
    name,
    value,
    `<span class="soft">${escapeHtml(meaning)}</span>`,
  ]);
  const content = [table("", ["statistic", "value", "meaning"], rows, [1])];
  if (report.otherHashes.length > 0) {
    const others = report.otherHashes.map(({ hash, imbalance }) => [hash, imbalance.toFixed(2)]);
    const caption = "imbalance if another hash placed the same messages";
    content.push(
      `<details><summary>Other hashes</summary>${table(caption, ["hash", "imbalance"], others, [1])}</details>`,
    );
  }
  return section("Numbers", ...content);
}
