/**
 * Memory over a long run: 5 million messages of 100 B, Zipf over a million keys, 1 in 10,000 takes
 * 2 s, 100 at once.
 *
 *   node bench/soak.ts [--json] [--only NAME] [--millions N] [--keys N]
 *
 * NAME: per-key, manual, "balanced manual" …
 *
 * Every distribution with automatic and with manual acknowledgement, in one process; manual marks
 * after the calls. The first run reads behind a producer, the others from the log's start. Samples
 * are taken after a garbage collection every 100,000 messages. The bench fails when the median of
 * the last third is more than 20 % above that of the first third, which begins after a warm-up of a
 * tenth.
 */
import { parseArgs } from "node:util";
import { table } from "../src/cli/table.ts";
import { BackgroundProducer } from "./support/background-producer.ts";
import { deletingTopic, makeTopic, withBroker } from "./support/kafka.ts";
import { slope } from "./support/memory.ts";
import { median } from "./support/rounds.ts";
import { runSoak, type SoakCell, type SoakResult, type SoakSample } from "./support/soak-run.ts";

const MILLION = 1_000_000;
/** Growth from the first third to the last that still counts as flat. */
const MOST_GROWTH = 1.2;
/** The hottest of a million keys has 1.3 % of the messages. */
const ZIPF_EXPONENT = 0.8;
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    millions: { type: "string", default: "5" },
    keys: { type: "string", default: "1000000" },
  },
});
const count = Number(values.millions) * MILLION;
const keys = Number(values.keys);
const chosen = (["per-key", "balanced", "consistent"] as const)
  .flatMap((distribution) =>
    (["automatic", "manual"] as const).map((acknowledge) => ({ distribution, acknowledge })),
  )
  .filter((one) => nameOf(one).includes(values.only));

function nameOf({
  distribution,
  acknowledge,
}: Pick<SoakCell, "distribution" | "acknowledge">): string {
  return `${distribution} ${acknowledge}`;
}

type Measure = (sample: SoakSample) => number;
const live: Measure = ({ heap, external }) => heap + external;
const rss: Measure = (sample) => sample.rss;

function medianOf(samples: readonly SoakSample[], measure: Measure): number {
  return median(samples.map(measure));
}

function afterWarmUp(samples: readonly SoakSample[]): readonly SoakSample[] {
  return samples.slice(Math.floor(samples.length / 10));
}

/** Bytes of live memory that a message leaves behind: a finer look than the verdict's. */
function bytesPerMessage(samples: readonly SoakSample[]): number {
  const warm = afterWarmUp(samples);
  return slope(
    warm.map(({ done }) => done),
    warm.map((sample) => live(sample) * 2 ** 20),
  );
}

/** The last third's median over the first's. */
function growth(samples: readonly SoakSample[], measure: Measure): number {
  const warm = afterWarmUp(samples);
  const third = Math.floor(warm.length / 3);
  return medianOf(warm.slice(-third), measure) / medianOf(warm.slice(0, third), measure);
}

/** Medians of each million. */
function byMillion(samples: readonly SoakSample[]): string[][] {
  const rows: string[][] = [];
  for (let from = 0; from < count; from += MILLION) {
    const some = samples.filter(({ done }) => done > from && done <= from + MILLION);
    if (some.length === 0) continue;
    const columns: Measure[] = [({ heap }) => heap, ({ external }) => external, live, rss];
    const medians = columns.map((measure) => medianOf(some, measure).toFixed(1));
    rows.push([
      `${from / MILLION + 1}`,
      some.at(-1)!.distinctKeys.toLocaleString("en"),
      ...medians,
    ]);
  }
  return rows;
}

function print(name: string, { samples, seconds }: SoakResult): boolean {
  const grown = { live: growth(samples, live), rss: growth(samples, rss) };
  const flat = grown.live <= MOST_GROWTH && grown.rss <= MOST_GROWTH;
  const perSecond = Math.round(count / seconds);
  if (values.json) {
    for (const sample of samples) console.log(JSON.stringify({ cell: name, ...sample }));
    const bytes = bytesPerMessage(samples);
    console.log(JSON.stringify({ cell: name, count, perSecond, growth: grown, bytes, flat }));
    return flat;
  }
  console.log(`\n${name}: ${perSecond.toLocaleString("en")}/s`);
  const names = ["million", "keys seen", "heap MiB", "external", "both", "rss"];
  for (const line of table(
    [names, ...byMillion(samples)],
    names.map(() => "right"),
  )) {
    console.log(line);
  }
  const verdict = flat ? "flat" : "GROWS";
  const ratios = `live ${grown.live.toFixed(2)}, rss ${grown.rss.toFixed(2)}`;
  const slopes = `${bytesPerMessage(samples).toFixed(1)} B a message`;
  console.log(`last third ÷ first third: ${ratios}: ${verdict} (${slopes})`);
  return flat;
}

await withBroker(async (bootstrap) => {
  const topic = await makeTopic(bootstrap, "soak", 1);
  await deletingTopic(bootstrap, topic, async () => {
    const plan = { bootstrap, topic, count, rate: 0, bytes: 100, keys };
    const producer = new BackgroundProducer({ ...plan, zipf: ZIPF_EXPONENT, special: null });
    const shape = { sampleEvery: MILLION / 10, slowOneIn: 10_000, slowMs: 2000 };
    try {
      for (const one of chosen) {
        const result = await runSoak({ bootstrap, topic, count, keys, ...shape, ...one });
        if (!print(nameOf(one), result)) process.exitCode = 1;
        await producer.finished;
      }
    } finally {
      producer.stop();
    }
  });
});
process.exit();
