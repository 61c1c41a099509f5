/** What a worker thread of ours runs. Not an entry point of the package: the pool starts threads here. */
import { findThreadPort } from "../../runtime/threads.ts";
import { servedHandler } from "../served-handler.ts";
import { runThread } from "./run-thread.ts";

servedHandler.hosted = true;
const port = await findThreadPort();
if (port !== null) runThread(port, null);
