import { afterEach, expect, test } from "bun:test";
import { openLog } from "../../../src/adapters/log.ts";
import { printMessages } from "../../../src/cli/log/print-messages.ts";
import { removeTemporary, temporaryDirectory } from "../../log/temporary.ts";
import { fakeIo } from "../fake-io.ts";
import { logCommand } from "./command.ts";
import { stockLog } from "./stocked-log.ts";

afterEach(removeTemporary);

test("messages that retention takes away while they are printed are named, the others printed", async () => {
  const directory = temporaryDirectory();
  await stockLog(directory);
  const small = ["--retention-max-topic-bytes", "1024", "--retention-delete-oldest-segments"];
  const gone = [...small, "true", "--retention-protect-uncommitted", "false", "--log", "log"];
  expect((await logCommand(directory, ["retain", ...gone])).code).toBe(0);
  const log = await openLog(`${directory}/log`, { readOnly: true });
  const { logEnd } = await log.bounds("orders", 0);
  const lines: string[] = [];
  const printed = await printMessages({
    log,
    topic: "orders",
    partition: 0,
    from: 3,
    until: logEnd,
    maxMessages: 2,
    format: { json: false, keySeparator: undefined },
    out: fakeIo().out,
    signal: new AbortController().signal,
    onPrinted: () => {},
    say: (line) => lines.push(line),
  });
  expect(lines).toEqual(["orders#0: retention has removed offsets 3 to 79 meanwhile"]);
  expect(printed).toEqual({ messages: 2, nextOffset: 82, readerGone: false });
  await log.close();
});
