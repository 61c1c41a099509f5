/** Takes memory until there is none, at the first attempt. */
import { serve } from "../../src/worker/serve.ts";

serve({
  eachMessage: (_message, { attempt }) => {
    let last: object | null = null;
    // In small pieces, none of which grows: larger ones end the process of some runtimes.
    while (attempt === 1) last = { before: last, more: [1, 2, 3] };
  },
});
