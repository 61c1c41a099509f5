import { Buffer } from "node:buffer";
import { join } from "node:path";
import { ClosedError, LogError } from "../errors.ts";
import { onLocalWrite } from "./local-wakes.ts";
import { listNamedDirectories } from "./named-directory.ts";
import type { ReadableStore } from "./readable.ts";
import type { Visibility } from "./reader-partition.ts";
import { type ReaderSettings, ReaderTopic } from "./reader-topic.ts";
import { checkFormat, readStoreJson, STORE_FILE } from "./store-json.ts";
import { checkedTopicJson, TOPIC_FILE } from "./topic-json.ts";
import { type FileWatch, watchFile } from "./watch-file.ts";

/**
 * A log directory as its readers see it, beside whoever writes it: in another process or in this
 * one. Takes no lock and writes nothing.
 */
export class ReaderStore implements ReadableStore {
  readonly root: string;
  readonly #settings: ReaderSettings;
  readonly #topics = new Map<string, ReaderTopic>();
  readonly #listeners = new Set<() => void>();
  readonly #stopListening: () => void;
  #closed = false;

  /**
   * @param watch Replaced in tests.
   * @throws {LogError} When there is no log of this version in the directory.
   * @throws {CorruptLogError} When the description of the log or a topic is damaged.
   */
  constructor(root: string, visibility: Visibility = "written", watch: FileWatch = watchFile) {
    this.root = root;
    this.#settings = { root, visibility, watch };
    const store = readStoreJson(root);
    if (store === undefined) {
      throw new LogError(
        `Cannot read a log as the directory must hold one: received no ${STORE_FILE} in ${root}`,
      );
    }
    checkFormat(store);
    this.refresh();
    this.#stopListening = onLocalWrite(this.#topicsDirectory, () => this.refresh());
  }

  /** @throws {ClosedError} */
  topic(name: string): ReaderTopic | undefined {
    if (this.#closed) {
      throw new ClosedError(`Cannot use the log as it is closed: received ${name}`);
    }
    return this.#topics.get(name);
  }

  topics(): readonly ReaderTopic[] {
    return [...this.#topics.values()];
  }

  /**
   * Looks which topics there are by now. Their partitions look for themselves.
   *
   * @throws {CorruptLogError} When the description of a topic is damaged.
   */
  refresh(): void {
    const found = listNamedDirectories(this.#topicsDirectory, TOPIC_FILE);
    const topics = found.map((one) => ({ path: one.path, json: checkedTopicJson(one) }));
    const known = new Set(topics.map(({ json }) => json.id));
    let changed = false;
    for (const [name, topic] of this.#topics) {
      if (known.has(Buffer.from(topic.id).toString("hex"))) continue;
      this.#topics.delete(name);
      topic.close();
      changed = true;
    }
    for (const { path, json } of topics) {
      const topic = this.#topics.get(json.name);
      if (topic === undefined) {
        this.#topics.set(json.name, new ReaderTopic(path, json, this.#settings));
        changed = true;
      } else if (topic.grow(json.partitions)) changed = true;
    }
    if (changed) for (const listener of [...this.#listeners]) listener();
  }

  /** Calls back when `refresh()` found topics made, grown or gone. @returns Removes the callback. */
  onTopicChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopListening();
    for (const topic of this.#topics.values()) topic.close();
  }

  get #topicsDirectory(): string {
    return join(this.root, "topics");
  }
}
