import { describe, expect, test } from "bun:test";
import { CommitPosition } from "../../src/commit/commit-position.ts";

function setUp(stored: { offset: number; metadata: string } | null) {
  const source = { mayCommit: true, committable: 0, text: "" };
  const heard: unknown[] = [];
  const position = new CommitPosition(
    { topic: "t", partition: 0 },
    {
      get mayCommit() {
        return source.mayCommit;
      },
      get committable() {
        return source.committable;
      },
      metadataOf: (offset) => ({
        text: source.text === "" ? "" : `${source.text}@${offset}`,
        completed: 1,
        truncated: source.text === "cut",
      }),
    },
    stored,
    {
      stored: (offset, map) => heard.push(["stored", offset, map.text, map.truncated]),
      refused: (outcome, length) => heard.push([outcome, length]),
    },
  );
  return { source, heard, position };
}

describe("CommitPosition", () => {
  test("O10: a start that nobody has stored is pending, though nothing was handled", () => {
    const { position, heard } = setUp(null);
    const pending = position.pendingCommit();
    expect(pending).toMatchObject({ offset: 0, metadata: "" });
    position.committed(pending!, "stored");
    expect(position.pendingCommit()).toBeNull();
    expect([position.stored, heard]).toEqual([0, [["stored", 0, "", false]]]);
  });

  test("O5, O7: another map or text over the same offset is a commit; the same one is not", () => {
    const { position, source } = setUp({ offset: 5, metadata: "a@5" });
    source.committable = 5;
    source.text = "a";
    expect(position.pendingCommit()).toBeNull();
    position.changed();
    expect(position.pendingCommit()).toBeNull();
    source.text = "b";
    // Nothing says that there is something new: the map is not built for nothing.
    expect(position.pendingCommit()).toBeNull();
    position.changed();
    const pending = position.pendingCommit();
    expect(pending).toMatchObject({ offset: 5, metadata: "b@5" });
    // It is built once, however often it is asked for.
    expect(position.pendingCommit()).toBe(pending);
    position.committed(pending!, "stored");
    expect(position.pendingCommit()).toBeNull();
    expect(position.map.text).toBe("b@5");
  });

  test("O4: what was marked while a request was on its way is pending after it", () => {
    const { position, source } = setUp({ offset: 0, metadata: "" });
    source.committable = 1;
    source.text = "a";
    position.changed();
    const first = position.pendingCommit()!;
    source.text = "b";
    position.changed();
    position.committed(first, "stored");
    expect(position.pendingCommit()).toMatchObject({ offset: 1, metadata: "b@1" });
  });

  test("O6: metadata that was refused is not sent again as it is; another refusal changes nothing", () => {
    const { position, source, heard } = setUp({ offset: 0, metadata: "" });
    source.committable = 1;
    source.text = "long";
    position.changed();
    const first = position.pendingCommit()!;
    position.committed(first, "retry");
    expect(position.pendingCommit()).toBe(first);
    position.committed(first, "too-large");
    source.text = "cut";
    const second = position.pendingCommit()!;
    expect(second.metadata).toBe("cut@1");
    position.committed(second, "stored");
    expect(position.map.truncated).toBe(true);
    expect(position.refusal).toBeNull();
    expect(heard).toEqual([
      ["retry", 6],
      ["too-large", 6],
      ["stored", 1, "cut@1", true],
    ]);
  });

  test("R5: once fenced nothing is sent any more", () => {
    const { position, source } = setUp({ offset: 0, metadata: "" });
    source.committable = 1;
    position.committed(position.pendingCommit()!, "fenced");
    expect([position.mayCommit, position.stored]).toEqual([false, 0]);
    position.fenced = false;
    source.mayCommit = false;
    expect(position.mayCommit).toBe(false);
  });
});
