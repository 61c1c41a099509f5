#!/usr/bin/env node
import process from "node:process";
import { main } from "./cli.ts";
import { processIo } from "./io.ts";

const io = processIo();
const code: number = await main(process.argv.slice(2), io);
// A user's module may hold timers or sockets open: what is done is done. Pending output is written first.
await Promise.all([io.out.flushed(), io.err.flushed()]);
process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
