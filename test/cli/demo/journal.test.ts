import { afterEach, beforeEach, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type JournalListener,
  JournalReader,
  JournalWriter,
} from "../../../src/cli/demo/journal.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "headrace-journal-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function listener(): JournalListener & { told: string[] } {
  const told: string[] = [];
  return {
    told,
    started: (offset) => void told.push(`started ${offset}`),
    finished: (offset, lane) => void told.push(`finished ${offset} ${lane}`),
    assigned: (offset) => void told.push(`assigned ${offset}`),
    committed: (offset) => void told.push(`committed ${offset}`),
    progress: (running, lag) => void told.push(`progress ${running} ${lag}`),
  };
}

test("JournalReader follows a writer", () => {
  const path = join(directory, "journal");
  const writer = new JournalWriter(path);
  const reader = new JournalReader(path);
  const heard = listener();
  writer.assigned(0);
  writer.started(1);
  reader.read(heard);
  writer.finished(1, 7);
  writer.committed(2);
  writer.progress(3, 4);
  reader.read(heard);
  reader.read(heard);
  writer.close();
  reader.close();
  expect(heard.told).toEqual([
    "assigned 0",
    "started 1",
    "finished 1 7",
    "committed 2",
    "progress 3 4",
  ]);
});

test("JournalReader leaves out a line that a kill cut off", () => {
  const path = join(directory, "journal");
  writeFileSync(path, "s 1 0\nf 1");
  const reader = new JournalReader(path);
  const heard = listener();
  reader.read(heard);
  expect(heard.told).toEqual(["started 1"]);
  appendFileSync(path, "2 5\n");
  reader.read(heard);
  reader.close();
  expect(heard.told).toEqual(["started 1", "finished 12 5"]);
});

test("JournalReader reads entries that span its chunks", () => {
  const path = join(directory, "journal");
  const offsets = Array.from({ length: 20_000 }, (_, index) => index);
  writeFileSync(path, offsets.map((offset) => `s ${offset} 0\n`).join(""));
  const reader = new JournalReader(path);
  const heard = listener();
  reader.read(heard);
  reader.close();
  expect(heard.told).toEqual(offsets.map((offset) => `started ${offset}`));
});
