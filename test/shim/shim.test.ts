/**
 * The tests rely on these features of `bun:test`; the shim must do the same on Node and Deno.
 * What skips or fails is tested in test/harness/, from outside.
 */
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  mock,
  spyOn,
  test,
} from "bun:test";

const trace: string[] = [];

describe("hooks", () => {
  beforeAll(() => {
    trace.push("outer beforeAll");
  });
  beforeEach(async () => {
    await Promise.resolve();
    trace.push("outer beforeEach");
  });
  afterEach(() => {
    trace.push("outer afterEach");
  });
  afterAll(() => {
    trace.push("outer afterAll");
  });

  test("run around the first test", () => {
    trace.push("first");
  });

  describe("inner", () => {
    beforeAll(() => {
      trace.push("inner beforeAll");
    });
    beforeEach(() => {
      trace.push("inner beforeEach");
    });
    afterEach(() => {
      trace.push("inner afterEach");
    });
    afterAll(() => {
      trace.push("inner afterAll");
    });

    test("run outer first before, inner first after", async () => {
      await Promise.resolve();
      trace.push("second");
    });
  });
});

test("hooks ran once or around each test, in order", () => {
  expect(trace).toEqual([
    "outer beforeAll",
    "outer beforeEach",
    "first",
    "outer afterEach",
    "inner beforeAll",
    "outer beforeEach",
    "inner beforeEach",
    "second",
    "inner afterEach",
    "outer afterEach",
    "inner afterAll",
    "outer afterAll",
  ]);
});

describe("tables", () => {
  const seen: unknown[] = [];

  test.each([1, 2, 3])("one value: %d", (value) => {
    seen.push(value);
  });
  test.each([
    [1, "a"],
    [2, "b"],
  ])("two values: %d %s", (count, text) => {
    seen.push(`${count}${text}`);
  });
  test.each([{ name: "x", size: 4 }])("properties: $name", ({ size }) => {
    seen.push(size);
  });
  describe.each([10, 20])("describe %d", (value) => {
    it("gets the row", () => {
      seen.push(value);
    });
  });

  test("every row ran once", () => {
    expect(seen).toEqual([1, 2, 3, "1a", "2b", 4, 10, 20]);
  });
});

describe("conditions that hold", () => {
  const ran: string[] = [];
  test.skipIf(false)("skipIf(false) runs", () => {
    ran.push("skipIf");
  });
  test.if(true)("if(true) runs", () => {
    ran.push("if");
  });
  describe.skipIf(false)("describe.skipIf(false)", () => {
    test("runs", () => {
      ran.push("describe");
    });
  });
  test("those ran", () => {
    expect(ran).toEqual(["skipIf", "if", "describe"]);
  });
});

describe("test bodies", () => {
  test("may take a timeout as third argument", async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }, 2000);

  test("may take options as third argument", () => {}, { timeout: 2000 });

  test("may call done", (done) => {
    setTimeout(() => done(), 1);
  });
});

describe("expect()", () => {
  test("compares values", () => {
    expect({ a: [1, 2n] }).toEqual({ a: [1, 2n] });
    expect(new Uint8Array([1, 2])).toEqual(new Uint8Array([1, 2]));
    expect(new Map([["a", 1]])).toEqual(new Map([["a", 1]]));
    expect({ a: 1, b: 2 }).toMatchObject({ a: 1 });
    expect([1, 2, 3]).toContain(2);
    expect(0.1 + 0.2).toBeCloseTo(0.3);
    expect("headrace").toMatch(/race$/);
    expect(() => expect(1).toBe(2)).toThrow();
    expect(() => expect(new Uint8Array([1])).toEqual(new Uint8Array([2]))).toThrow();
  });

  test("checks errors", async () => {
    const fail = () => {
      throw new RangeError("Cannot fail as planned: received 1");
    };
    expect(fail).toThrow(RangeError);
    expect(fail).toThrow("as planned");
    await expect(Promise.reject(new Error("late"))).rejects.toThrow("late");
    await expect(Promise.resolve(1)).resolves.toBe(1);
  });
});

describe("mock()", () => {
  test("records calls and results", () => {
    const double = mock((value: number) => value * 2);
    expect(double(2)).toBe(4);
    expect(double).toHaveBeenCalledTimes(1);
    expect(double).toHaveBeenCalledWith(2);
    expect(double.mock.calls).toEqual([[2]]);
  });

  test("takes other implementations", async () => {
    const answer = mock(() => 1);
    answer.mockImplementationOnce(() => 2).mockReturnValueOnce(3);
    expect([answer(), answer(), answer()]).toEqual([2, 3, 1]);
    const later = mock(async () => 1);
    later.mockRejectedValueOnce(new Error("once"));
    await expect(later()).rejects.toThrow("once");
    expect(await later()).toBe(1);
  });

  test("spies on a method and restores it", () => {
    const target = { read: () => 1 };
    const spy = spyOn(target, "read").mockImplementation(() => 2);
    expect(target.read()).toBe(2);
    expect(spy).toHaveBeenCalledTimes(1);
    spy.mockRestore();
    expect(target.read()).toBe(1);
  });
});
