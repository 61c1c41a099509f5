import { describe, expect, test } from "bun:test";
import {
  escapeHtml,
  inlineHtml,
  rowBar,
  uprightBars,
} from "../../../src/cli/analyze/html-charts.ts";
import { htmlPage } from "../../../src/cli/analyze/html-page.ts";
import { analyzeDistribution } from "../../../src/tools/index.ts";

const title = { name: "orders", notes: [], partitions: 3 };
const NASTY = `<script>alert("1")</script>&'`;

function keysOf(hot: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => (at % 2 === 0 ? hot : `k${at}`));
}

describe("htmlPage()", () => {
  const virtual = analyzeDistribution({ sample: keysOf(NASTY, 4000), partitions: 8 });
  const page = htmlPage(virtual, { ...title, name: NASTY, notes: ["stopped <early>"] });

  test("needs nothing else, and forbids itself the network", () => {
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
    expect(page).not.toMatch(/<(script|link|img|iframe|object)\b|url\(|@import|https?:/);
    expect(page).toMatch(/^<!doctype html>\n<html lang="en">/);
    expect(page).toContain("prefers-color-scheme: dark");
  });

  test("takes names and keys as text", () => {
    expect(page).not.toContain("<script>");
    expect(page).toContain(
      "<title>&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;: hot-key",
    );
    expect(page).toContain("stopped &lt;early&gt;");
  });

  test("says everything that a terminal says, with the severity as a word", () => {
    expect(page).toContain("■ critical");
    expect(page).toContain("4,000 messages in 8 virtual partitions, with consistent distribution");
    for (const { message } of virtual.verdicts) expect(page).toContain(inlineHtml(message));
    for (const count of virtual.counts) expect(page).toContain(count.toLocaleString("en-US"));
    for (const { distribution } of virtual.prediction!.distributions) {
      expect(page).toContain(distribution);
    }
    expect(page).toContain("virtual partitions of 3 partitions are taken together");
  });

  test("opens and closes every element", () => {
    const open: string[] = [];
    const elements = page
      .replace(/<style>[\s\S]*<\/style>/, "")
      .matchAll(/<(\/?)([a-z0-9]+)\b[^>]*?(\/?)>/g);
    for (const [, closing, name, empty] of elements) {
      if (empty === "/" || name === "meta") continue;
      if (closing === "") open.push(name!);
      else expect(open.pop()).toBe(name!);
    }
    expect(open).toEqual([]);
  });

  test("draws many partitions side by side, with all numbers in a table that a keyboard can scroll", () => {
    const many = analyzeDistribution({ sample: keysOf("x", 4000), partitions: 700 });
    const wide = htmlPage(many, title);
    expect(wide.match(/<rect class="(bar|high)" x=/g)?.length).toBe(350);
    expect(wide.match(/<th scope="row" class="number">/g)!.length).toBeGreaterThanOrEqual(700);
    expect(wide).toContain(
      'tabindex="0" role="region" aria-label="Messages per virtual partition"',
    );
  });

  test("leaves out what is not known", () => {
    const counted = htmlPage(analyzeDistribution({ counts: [500, 400] }), title);
    expect(counted).not.toContain("Most frequent keys");
    expect(counted).not.toContain("Predicted");
    expect(counted).not.toMatch(/NaN|undefined|null/);
    const even = Array.from({ length: 4000 }, (_, at) => `k${at % 900}`);
    const page = htmlPage(
      analyzeDistribution({ sample: even, partitions: 4, placement: "murmur2" }),
      title,
    );
    expect(page).toContain("<caption>900 different keys</caption>");
    expect(page).toContain("✓ ok");
  });
});

test("rowBar() stays inside its row", () => {
  expect(rowBar(2, { mark: 0.25 })).toContain('<rect class="bar" width="100%"');
  expect(rowBar(0.5, { high: true, mark: 3 })).not.toContain("<line");
  expect(rowBar(0.123456, { mark: 0.25 })).toContain('width="12.35%"');
});

test("uprightBars() shows small values, and none for 0", () => {
  const values = [1000, 1, 0, 500];
  const nameOf = (first: number, _last: number, value: number): string => `<${first}: ${value}>`;
  const svg = uprightBars({ values, mean: 375.25, highAbove: 469, label: 'a "label"', nameOf });
  expect([...svg.matchAll(/height="([\d.]+)"/g)].map(([, height]) => height)).toEqual([
    "100.00",
    "0.60",
    "0.00",
    "50.00",
  ]);
  expect(svg.match(/class="high"/g)?.length).toBe(2);
  expect(svg).toContain('aria-label="a &quot;label&quot;"');
  expect(svg).toContain("<title>&lt;1: 1&gt;</title>");
});

test("escapeHtml() and inlineHtml()", () => {
  expect(escapeHtml(`<a href="x">&'`)).toBe("&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
  expect(inlineHtml("key `<b>` has 5 %")).toBe("key <code>&lt;b&gt;</code> has 5 %");
});
