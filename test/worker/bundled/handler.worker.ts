import { isMainThread } from "node:worker_threads";
import { serve } from "../../../src/worker/serve.ts";

serve({
  eachMessage: (message) => {
    throw new Error(`${message.text()}, in a thread: ${!isMainThread}`);
  },
});
