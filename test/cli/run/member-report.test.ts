import { describe, expect, test } from "bun:test";
import { type MemberReport, readLine, reportLine } from "../../../src/cli/run/member-report.ts";

const report: MemberReport = { kind: "loaded" };

describe("readLine()", () => {
  test("gives back a report, and what a handler has left in front of it", () => {
    const line = reportLine(report).slice(0, -1);
    expect(readLine(line)).toEqual({ text: "", report });
    expect(readLine(`half a line${line}`)).toEqual({ text: "half a line", report });
  });

  test.each(["", "any text", "\u001e", "\u001enot a report", "a\u001eb"])("leaves %j", (text) => {
    expect(readLine(text)).toEqual({ text, report: null });
  });
});
