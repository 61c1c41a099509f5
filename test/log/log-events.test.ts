import { describe, expect, test } from "bun:test";
import process from "node:process";
import { LogEventHub } from "../../src/log/log-events.ts";

const event = { topic: "t", partition: 0, appendTimeMs: 2, nowMs: 1 };

describe("LogEventHub", () => {
  test("tells all who listen, until they are removed", () => {
    const hub = new LogEventHub();
    const seen: string[] = [];
    const first = { clockAhead: () => seen.push("first") };
    const second = { clockAhead: () => seen.push("second"), tornTail: () => seen.push("torn") };
    hub.add(first);
    hub.add(second);
    hub.emit("clockAhead", event);
    hub.remove(first);
    hub.emit("clockAhead", event);
    expect(seen).toEqual(["first", "second", "second"]);
  });

  test("makes a warning of what a listener throws, and goes on", async () => {
    const warning = new Promise<Error>((resolve) => process.once("warning", resolve));
    const hub = new LogEventHub();
    const seen: unknown[] = [];
    hub.add({
      clockAhead: () => {
        throw new Error("oh no");
      },
    });
    hub.add({ clockAhead: (one) => seen.push(one) });
    hub.emit("clockAhead", event);
    expect(seen).toEqual([event]);
    expect((await warning).message).toContain("clockAhead threw: Error: oh no");
  });
});
