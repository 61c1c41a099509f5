/** For both forms: started as a thread of its own, and imported by its URL. */
import { serve } from "../../../src/worker/serve.ts";

serve({
  eachMessage: (message) => {
    throw new Error(`served ${message.payload}`);
  },
  deserializer: (value) => value?.length,
});
