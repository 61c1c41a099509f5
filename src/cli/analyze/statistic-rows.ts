import type { DistributionReport } from "../../tools/index.ts";
import { count } from "../format.ts";

/** One statistic, as terminals and pages show it. */
export interface StatisticRow {
  readonly name: string;
  readonly value: string;
  readonly meaning: string;
}

export function statisticRows(report: DistributionReport): StatisticRow[] {
  const { imbalance, cv, effective, entropy, gini, empty, counts, severity } = report;
  const most = counts.length;
  return [
    {
      name: "imbalance",
      value: imbalance.toFixed(2),
      meaning: `${severity}; busiest against the mean: 1 is perfect, ${most} is all in one`,
    },
    { name: "cv", value: cv.toFixed(2), meaning: "standard deviation against the mean" },
    {
      name: "effective",
      value: effective.toFixed(1),
      meaning: `as if so many of ${most} were equally busy`,
    },
    { name: "entropy", value: entropy.toFixed(2), meaning: "1 is even" },
    { name: "gini", value: gini.toFixed(2), meaning: "0 is even" },
    { name: "empty", value: count(empty), meaning: "without messages" },
  ];
}
