/**
 * The code of the channel, turned into code that can be stopped at every atomic operation.
 *
 * Methods become generators, calls in them `yield*` what is called, `await` becomes a step. So a scheduler can let two
 * "threads" take turns, operation by operation, in one real thread. What runs is the code of src/worker itself, nothing
 * that has to be kept in line with it.
 */
import { readFileSync } from "node:fs";
import ts from "typescript";
import * as channelErrors from "../../../src/errors.ts";
import * as invariants from "../../../src/invariant.ts";
import * as clock from "../../../src/runtime/system-clock.ts";
import * as control from "../../../src/worker/control.ts";
import * as frameMemory from "../../../src/worker/frame-memory.ts";
import * as frameReader from "../../../src/worker/frame-reader.ts";
import * as frameWriter from "../../../src/worker/frame-writer.ts";
import { StillClock } from "./still-clock.ts";

/** Those that use atomics, or call what does. */
const STEPPED = ["ring-writer", "ring-reader", "frame-queue", "sleep", "channel-end"] as const;
type SteppedFile = (typeof STEPPED)[number];

const PLAIN: Readonly<Record<string, object>> = {
  "../errors.ts": channelErrors,
  "../invariant.ts": invariants,
  "../runtime/system-clock.ts": clock,
  "./control.ts": control,
  "./frame-memory.ts": frameMemory,
  "./frame-reader.ts": frameReader,
  "./frame-writer.ts": frameWriter,
  // Time stands still: a turn never gets too long.
  "./turn-clock.ts": { TurnClock: StillClock },
};

/** One place of the code, changed. */
export interface Change {
  readonly file: SteppedFile;
  readonly from: string;
  readonly to: string;
}

/** A generator that a stepped method has returned. */
export type Steps<T = unknown> = Generator<unknown, T, unknown>;

/** What stepped code finds in place of the globals of that name. */
export interface ModelGlobals {
  readonly Atomics: object;
  readonly Promise: object;
  /** What a call comes to, given what it has returned: its steps, maybe. */
  called(value: unknown): Steps;
  /** `await`. */
  awaited(value: unknown): Steps;
}

const generators: object = Object.getPrototypeOf(function* () {}).prototype;

/** Whether a call has returned steps: it is over when they are. */
export function isSteps(value: unknown): value is Steps {
  return (
    typeof value === "object" && value !== null && generators.isPrototypeOf.call(generators, value)
  );
}

const { factory } = ts;

function yieldStar(helper: string, argument: ts.Expression): ts.Expression {
  const call = factory.createCallExpression(factory.createIdentifier(helper), undefined, [
    argument,
  ]);
  const star = factory.createToken(ts.SyntaxKind.AsteriskToken);
  return factory.createParenthesizedExpression(factory.createYieldExpression(star, call));
}

/** Turns methods of classes into generators, and private fields into others: the state of a thread is read from them. */
const stepping: ts.TransformerFactory<ts.SourceFile> = (context) => {
  const inBody = (node: ts.Node): ts.Node => {
    if (ts.isPrivateIdentifier(node)) return factory.createIdentifier(`$${node.text.slice(1)}`);
    // What these hold runs at once, when they are called by others.
    if (ts.isArrowFunction(node)) return ts.visitEachChild(node, inFile, context);
    const visited = ts.visitEachChild(node, inBody, context);
    if (ts.isCallExpression(visited)) return yieldStar("$run", visited);
    if (ts.isAwaitExpression(visited)) return yieldStar("$await", visited.expression);
    return visited;
  };
  const inFile = (node: ts.Node): ts.Node => {
    if (ts.isPrivateIdentifier(node)) return inBody(node);
    if (!ts.isMethodDeclaration(node)) return ts.visitEachChild(node, inFile, context);
    const modifiers = node.modifiers?.filter(({ kind }) => kind !== ts.SyntaxKind.AsyncKeyword);
    return factory.updateMethodDeclaration(
      node,
      modifiers,
      factory.createToken(ts.SyntaxKind.AsteriskToken),
      ts.visitNode(node.name, inFile, ts.isPropertyName),
      node.questionToken,
      node.typeParameters,
      node.parameters,
      undefined,
      ts.visitNode(node.body, inBody, ts.isBlock),
    );
  };
  return (file) => ts.visitNode(file, inFile, ts.isSourceFile);
};

function compiled(file: SteppedFile, changes: readonly Change[]): string {
  let text = readFileSync(new URL(`../../../src/worker/${file}.ts`, import.meta.url), "utf8");
  for (const { file: changed, from, to } of changes) {
    if (changed !== file) continue;
    const parts = text.split(from);
    if (parts.length !== 2) {
      throw new Error(`Cannot change ${file}.ts as this must stand in it once: received ${from}`);
    }
    text = parts.join(to);
  }
  const { outputText, diagnostics } = ts.transpileModule(text, {
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2022,
      verbatimModuleSyntax: false,
    },
    transformers: { before: [stepping] },
    reportDiagnostics: true,
  });
  if (diagnostics?.length) throw new Error(`Cannot compile ${file}.ts: ${text}`);
  return outputText;
}

/** `SharedChannelEnd` of stepped code. */
export type SteppedEnd = new (
  memory: unknown,
  layout: control.ChannelLayout,
  options: object,
) => SteppedChannelEnd;

/** As `ChannelEnd`; calls return steps. */
export interface SteppedChannelEnd {
  begin(kind: number): Steps<frameWriter.FrameWriter>;
  commit(): Steps<void>;
  flush(): Steps<void>;
  read(onFrame: (frame: frameReader.FrameReader) => unknown): Steps<number>;
  listen(options: object): Steps<void>;
  rung(): Steps<void>;
  close(): Steps<void>;
  abandon(): Steps<void>;
  readonly closed: boolean;
}

/** The code of the channel, loaded once per thread. */
export function steppedCode(
  globals: readonly [ModelGlobals, ModelGlobals],
  changes: readonly Change[] = [],
): readonly [SteppedEnd, SteppedEnd] {
  const makers = new Map<string, (...given: unknown[]) => void>();
  for (const file of STEPPED) {
    const parameters = ["exports", "require", "$run", "$await", "Atomics", "Promise"];
    const code = new Function(...parameters, compiled(file, changes));
    makers.set(`./${file}.ts`, code as (...given: unknown[]) => void);
  }
  const loadFor = (own: ModelGlobals): SteppedEnd => {
    const loaded = new Map<string, object>();
    const load = (name: string): object => {
      const known = PLAIN[name] ?? loaded.get(name);
      if (known !== undefined) return known;
      const make = makers.get(name);
      if (make === undefined) throw new Error(`Cannot load ${name} into the model`);
      const made = {};
      loaded.set(name, made);
      make(made, load, own.called, own.awaited, own.Atomics, own.Promise);
      return made;
    };
    return (load("./channel-end.ts") as { SharedChannelEnd: SteppedEnd }).SharedChannelEnd;
  };
  return [loadFor(globals[0]), loadFor(globals[1])];
}

/** The fields of stepped objects as text: what they do next follows from them. */
export function fieldsOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  if (value instanceof Uint8Array) return value.join();
  if (Array.isArray(value)) return `[${value.map(fieldsOf).join()}]`;
  const parts: string[] = [];
  for (const [name, field] of Object.entries(value)) {
    if (FIXED.has(name) || typeof field === "function") continue;
    parts.push(`${name}:${fieldsOf(field)}`);
  }
  return `{${parts.join()}}`;
}

/** Fields that never change, or that nothing is read from before it is written again. */
const FIXED: ReadonlySet<string> = new Set([
  "$memory",
  "$words",
  "$layout",
  "$writer",
  "$reader",
  "$piece",
  "$turns",
  "$ring",
]);
