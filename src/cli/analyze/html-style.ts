/**
 * The look of a page: system fonts, light or dark as the reader's system is. Blue and orange are told apart by all
 * kinds of colour vision (Okabe and Ito), and whatever colour says, a word says too.
 */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --line: #d5dae1; --text: #1b2430; --soft: #55606e;
  --bar: #0072b2; --high: #c44e00; --track: #e9edf2; --mark: #1b2430;
  --ok: #00684a; --watch: #7a5200; --warn: #a33b00; --critical: #b3161b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --card: #1b212a; --line: #343d4a; --text: #e8ecf1; --soft: #a9b4c1;
    --bar: #56b4e9; --high: #f0a04b; --track: #2a323d; --mark: #e8ecf1;
    --ok: #5fd3a8; --watch: #f1c453; --warn: #f6a15b; --critical: #ff8f8a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 0 0 .25rem; }
p { margin: .25rem 0; }
.soft { color: var(--soft); }
section, .verdict {
  background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: 1rem; margin-top: 1rem; overflow-x: auto;
}
.verdict { border-left: .5rem solid var(--tone); }
.verdict strong.tone { color: var(--tone); }
.verdict .headline { font-size: 1.15rem; overflow-wrap: anywhere; }
.verdict ul { margin: .5rem 0 0; padding-left: 1.25rem; }
.verdict li { overflow-wrap: anywhere; }
.ok { --tone: var(--ok); } .watch { --tone: var(--watch); }
.warn { --tone: var(--warn); } .critical { --tone: var(--critical); }
.tiles {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem;
  margin: 1rem 0 0;
}
.tiles div {
  background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .6rem .8rem;
}
.tiles dt { color: var(--soft); font-size: .85rem; }
.tiles dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--soft); font-size: .9rem; padding-bottom: .4rem; }
th, td { padding: .2rem .9rem .2rem 0; text-align: left; vertical-align: middle; }
thead th { color: var(--soft); font-size: .85rem; font-weight: 600; border-bottom: 1px solid var(--line); }
tbody th { font-weight: 500; white-space: nowrap; }
th code { display: inline-block; width: max-content; max-width: 18rem; white-space: normal; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.draw { width: 100%; min-width: 5rem; padding-right: 0; }
code { font: .92em ui-monospace, SFMono-Regular, Menlo, Consolas, "Noto Sans Mono", monospace; overflow-wrap: anywhere; }
svg { display: block; width: 100%; }
svg.row { height: 1rem; }
svg.upright { height: 12rem; border-bottom: 1px solid var(--line); }
.track { fill: var(--track); } .bar { fill: var(--bar); } .high { fill: var(--high); }
.mark { stroke: var(--mark); stroke-width: 2; stroke-dasharray: 3 2; }
.axis { display: flex; justify-content: space-between; color: var(--soft); font-size: .85rem; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; font-size: .85rem; color: var(--soft); margin-top: .5rem; }
.legend span::before { content: ""; display: inline-block; width: .8rem; height: .8rem; margin-right: .4rem; vertical-align: -.05rem; }
.legend .is-bar::before { background: var(--bar); } .legend .is-high::before { background: var(--high); }
.legend .is-mark::before { width: 0; border-left: 2px dashed var(--mark); }
details { margin-top: .75rem; }
summary { cursor: pointer; }
.scroll { max-height: 22rem; overflow: auto; }
:focus-visible { outline: 3px solid var(--bar); outline-offset: 2px; border-radius: .2rem; }
@media (max-width: 34rem) { th, td { padding-right: .5rem; } th code { max-width: 6rem; } td.draw { min-width: 3rem; } }
@media print { body { background: none; } section, .verdict { break-inside: avoid; } }
`;
