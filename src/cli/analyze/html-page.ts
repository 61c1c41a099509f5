import type { DistributionReport, Severity } from "../../tools/index.ts";
import { count } from "../format.ts";
import { escapeHtml, inlineHtml } from "./html-charts.ts";
import { countSection, keySection, numberSection, predictionSection } from "./html-sections.ts";
import { STYLE } from "./html-style.ts";
import { notesOf, type ReportTitle, subject } from "./report-title.ts";

/** A severity as a word with a sign: colour alone says nothing. */
const SIGNS: Readonly<Record<Severity, string>> = {
  ok: "✓ ok",
  watch: "● watch",
  warn: "▲ warn",
  critical: "■ critical",
};

/**
 * A report as one page that needs nothing else: no script, no network (the page itself forbids it), readable in light
 * and dark, charts as SVG beside tables with the same numbers.
 */
export function htmlPage(report: DistributionReport, title: ReportTitle): string {
  const name = escapeHtml(title.name);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${name}: ${escapeHtml(report.verdict)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${name}</h1>
<p class="soft">${escapeHtml(subject(report))}</p>
${verdictCard(report, title)}
${tiles(report)}
${countSection(report)}
${keySection(report)}
${predictionSection(report)}
${numberSection(report)}
</main>
</body>
</html>
`;
}

function verdictCard(report: DistributionReport, title: ReportTitle): string {
  const [headline, ...others] = report.verdicts;
  const items = [
    ...others.map(({ message }) => `<li>${inlineHtml(message)}</li>`),
    ...notesOf(report, title).map((note) => `<li class="soft">${escapeHtml(note)}</li>`),
  ];
  const list = items.length === 0 ? "" : `<ul>${items.join("")}</ul>`;
  const { severity } = report;
  return (
    `<div class="verdict ${severity}"><strong class="tone">${SIGNS[severity]}</strong>` +
    `<p class="headline">${inlineHtml(headline.message)}</p>${list}</div>`
  );
}

function tiles({ imbalance, effective, counts, empty, keys, total }: DistributionReport): string {
  const all = [
    ["imbalance", imbalance.toFixed(2)],
    ["effective", `${effective.toFixed(1)} of ${counts.length}`],
    ["empty", count(empty)],
    ["messages", count(total)],
    ...(keys === null
      ? []
      : [["different keys", `${keys.exact ? "" : "~ "}${count(keys.distinct)}`]]),
  ];
  const items = all.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`);
  return `<dl class="tiles">${items.join("")}</dl>`;
}
