import type { ThreadPort } from "../../runtime/threads.ts";
import type { ChannelEnd } from "../channel.ts";
import { joinChannel } from "../create-channel.ts";
import { errorToText } from "../error-text.ts";
import type { BootMessage, ThreadMessage } from "../frames.ts";
import { type LoadedModule, loadModule } from "../load-module.ts";
import { findMessage } from "../shared-message.ts";
import { ThreadEnd } from "./thread-end.ts";

/**
 * Runs the calls of one pool in this thread: says hello, loads modules, then works until it is ended from outside.
 *
 * @param served The handler that the thread's own file has given to `serve()`; null: the pool names modules.
 */
export function runThread(port: ThreadPort, served: LoadedModule | null): void {
  let end: ChannelEnd | null = null;
  const post = (message: ThreadMessage): void => port.post(message);
  const boot = async ({ memory, words, modules, maxTextLength }: BootMessage): Promise<void> => {
    const loaded = served === null ? await loadAll(modules, post) : [served];
    if (loaded === null) return;
    const joined = joinChannel(memory, { ring: () => post({ headrace: "bell" }) });
    end = joined.end;
    const codec = { reader: joined.messages, find: findMessage };
    const work = new ThreadEnd(end, new Int32Array(words), loaded, maxTextLength, codec);
    post({ headrace: "ready", modules: loaded.map(({ handler: { form } }) => ({ form })) });
    await work.run();
  };
  port.onMessage((message) => {
    const { headrace } = message as { headrace?: string };
    if (headrace === "bell") end?.rung();
    // An error of our own ends the thread; the pool sees that.
    if (headrace === "boot") boot(message as BootMessage).catch(crash);
  });
  // The listener is there: from now on no message is lost.
  post({ headrace: "hello" });
}

async function loadAll(
  urls: readonly string[],
  post: (message: ThreadMessage) => void,
): Promise<LoadedModule[] | null> {
  const loaded: LoadedModule[] = [];
  for (const [module, url] of urls.entries()) {
    try {
      loaded.push(await loadModule(url));
    } catch (error) {
      post({ headrace: "refused", module, error: errorToText(error) });
      return null;
    }
  }
  return loaded;
}

function crash(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
