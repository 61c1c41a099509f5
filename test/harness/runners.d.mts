export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface Runner {
  readonly name: string;
  accepts(file: string): boolean;
  readonly passedLine: RegExp;
  command(files: readonly string[], reportFile: string): [command: string, args: string[]];
  count(output: string, reportFile: string): Counts | undefined;
}

export const runners: readonly Runner[];
export const counter: Runner;
