/** Opens the log in a directory, appends one record, says so, and waits to be killed. */
import process from "node:process";
import { openLog } from "../../src/adapters/log.ts";
import { record } from "./temporary.ts";

const log = await openLog(process.argv[2]!, { topics: { t: { partitions: 1 } } });
await log.append("t", 0, [record("child", "1")]);
process.stdout.write("open\n");
setInterval(() => {}, 1000);
