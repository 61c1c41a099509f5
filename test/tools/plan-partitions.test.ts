import { describe, expect, test } from "bun:test";
import type { PlanOptions } from "../../src/tools/plan-options.ts";
import { planPartitions } from "../../src/tools/plan-partitions.ts";
import type { PlanWarningCode } from "../../src/tools/plan-warnings.ts";

const codes = (options: PlanOptions): PlanWarningCode[] =>
  planPartitions(options).warnings.map(({ code }) => code);

describe("planPartitions()", () => {
  const vectors: [PlanOptions, number][] = [
    [{ peak: 50_000 }, 15],
    [{ peak: 280, perConsumer: 50 }, 6],
    [{ peak: 9999 }, 3],
    [{ peak: 50_001 }, 16],
    [{ peak: 50_000, maxConsumers: 4, roundToConsumers: 4 }, 16],
    [{ peak: 100_000, perPartition: 10_000 }, 15],
  ];
  test.each(vectors)("of %j requires %d", (options, required) => {
    expect(planPartitions(options).required).toBe(required);
  });

  test("takes the largest of what throughput, consumers and availability ask for", () => {
    const { required, throughput, consumers } = planPartitions({
      peak: 20_000,
      maxConsumers: 4,
      perConsumer: 4000,
      minAvailability: 8,
    });
    expect({ required, throughput, consumers }).toEqual({
      required: 8,
      throughput: 6,
      consumers: 5,
    });
  });

  test("is 1 for no traffic, and not one more for the dust of a quotient", () => {
    expect(planPartitions({ peak: 0 }).required).toBe(1);
    // 0.3 × 1 / 0.1 is 2.9999999999999996, 0.1 × 3 / 0.1 is 3.0000000000000004.
    expect(planPartitions({ peak: 0.1 * 3, perPartition: 0.1, buffer: 1 }).required).toBe(3);
    expect(planPartitions({ peak: 0.1, perPartition: 0.1, buffer: 3 }).required).toBe(3);
  });

  const bands: [number, string, boolean][] = [
    [999, "1–3", true],
    [1000, "3–10", false],
    [9999, "3–10", true],
    [10_000, "10–30", false],
    [99_999, "10–30", true],
    [100_000, "30–100+", true],
  ];
  test.each(bands)("of a peak of %d names the band %s (inside: %p), clamping nothing", (...row) => {
    const [peak, name, inside] = row;
    const plan = planPartitions({ peak });
    expect(plan.band).toEqual({ name, inside });
    expect(plan.required).toBe(plan.throughput);
  });

  test("with handlerMs asks for virtual partitions: 1000 / handlerMs a second each", () => {
    const plan = planPartitions({ peak: 500, handlerMs: 20 });
    expect(plan.required).toBe(15);
    expect(plan.maxPartitions).toBe(15);
    expect("maxPartitions" in planPartitions({ peak: 500 })).toBe(false);
  });

  test("counts bytes", () => {
    const day = 86_400_000;
    const plan = planPartitions({
      peak: 5000,
      buffer: 2,
      messageBytes: 1000,
      retentionMs: day,
      segmentBytes: 1e9,
    });
    expect(plan.required).toBe(2);
    expect(plan.bytes).toEqual({
      perSecond: 5e6,
      perPartitionPerSecond: 2.5e6,
      retained: 432e9,
      retainedPerPartition: 216e9,
      segmentFillMs: 400_000,
      segmentsPerPartition: 216,
    });
    expect(planPartitions({ peak: 0, messageBytes: 1, segmentBytes: 10 }).bytes).toEqual({
      perSecond: 0,
      perPartitionPerSecond: 0,
      segmentFillMs: null,
    });
  });

  const warnings: [PlanWarningCode[], PlanOptions][] = [
    [["single-partition"], { peak: 10 }],
    [[], { peak: 5000 }],
    [["too-many"], { peak: 400_000 }],
    [[], { peak: 333_333 }],
    [["uneven-consumers"], { peak: 30_000, maxConsumers: 4 }],
    [[], { peak: 30_000, maxConsumers: 3 }],
    [["idle-consumers", "count-change"], { peak: 5000, maxConsumers: 4, currentPartitions: 3 }],
    [["key-bound"], { peak: 50_000, keys: 14 }],
    [[], { peak: 50_000, keys: 15 }],
    [["hot-key-bound"], { peak: 50_000, hottestKeyShare: 0.11 }],
    [[], { peak: 50_000, hottestKeyShare: 0.1 }],
    [["count-change"], { peak: 50_000, currentPartitions: 12 }],
    [[], { peak: 50_000, currentPartitions: 15 }],
    [["hourly-unused"], { peak: 100_000, hourly: true }],
    [[], { peak: 80_000, hourly: true }],
    [["key-bound", "hot-key-bound"], { peak: 500, handlerMs: 20, keys: 3, hottestKeyShare: 0.5 }],
  ];
  test.each(warnings)("warns %j of %j", (expected, options) => {
    expect(codes(options)).toEqual(expected);
  });

  test("says what a change of the count moves", () => {
    const message = (peak: number, currentPartitions: number): string =>
      planPartitions({ peak, currentPartitions }).warnings[0]!.message;
    expect(message(16_000, 3)).toContain("from 3 to 5 partitions moves 80 % of the keys");
    expect(message(16_000, 6)).toContain(
      "has 6 partitions already, and their number cannot shrink",
    );
  });

  const refused: [Record<string, unknown>, string][] = [
    [{}, "peak must be a number: received undefined"],
    [{ peak: -1 }, "peak must be from 0 to 1000000000000: received -1"],
    [{ peak: Number.NaN }, "peak must be from 0 to 1000000000000: received NaN"],
    [{ peak: Number.POSITIVE_INFINITY }, "peak must be from 0 to 1000000000000: received Infinity"],
    [{ peak: "5" }, 'peak must be a number: received "5"'],
    [{ peak: 1, perPartition: 0 }, "perPartition must be a finite number above 0: received 0"],
    [{ peak: 1, perPartition: -5 }, "perPartition must be a finite number above 0: received -5"],
    [
      { peak: 1, perConsumer: Number.NaN },
      "perConsumer must be a finite number above 0: received NaN",
    ],
    [{ peak: 1, handlerMs: Number.POSITIVE_INFINITY }, "handlerMs must be a finite number above 0"],
    [{ peak: 1, buffer: 0.9 }, "buffer must be from 1 to 1000: received 0.9"],
    [{ peak: 1, maxConsumers: 1.5 }, "maxConsumers must be an integer: received 1.5"],
    [{ peak: 1, maxConsumers: 0 }, "maxConsumers must be from 1 to 1000000: received 0"],
    [{ peak: 1, minAvailability: 0 }, "minAvailability must be from 1"],
    [{ peak: 1, roundToConsumers: 0 }, "roundToConsumers must be from 1"],
    [{ peak: 1, retentionMs: 5 }, "retentionMs needs messageBytes: received 5"],
    [{ peak: 1, segmentBytes: 5 }, "segmentBytes needs messageBytes: received 5"],
    [{ peak: 1, messageBytes: -1 }, "messageBytes must be a finite number above 0: received -1"],
    [{ peak: 1, keys: 0 }, "keys must be from 1"],
    [{ peak: 1, hottestKeyShare: 1.1 }, "hottestKeyShare must be from 0 to 1: received 1.1"],
    [{ peak: 1, currentPartitions: 0 }, "currentPartitions must be from 1"],
    [{ peak: 1, hourly: 1 }, "hourly must be true or false: received 1"],
    [{ peak: 1, handlerMs: 5, perPartition: 5 }, "one of perPartition and handlerMs is given"],
    [{ peak: 1, peaks: 5 }, 'options has no option "peaks"'],
  ];
  test.each(refused)("refuses %j", (options, message) => {
    const plan = (): unknown => planPartitions(options as unknown as PlanOptions);
    expect(plan).toThrow(`Cannot plan partitions as ${message}`);
  });

  test("refuses what is no object", () => {
    const message = "Cannot plan partitions as options must be an object: received 5";
    expect(() => planPartitions(5 as never)).toThrow(message);
  });
});
