/** Checks source files against the import table and the rules of style that a compiler can see. */
import ts from "typescript";
import { rooms, rootFiles } from "./import-table.ts";

const maxFileLines = 400;
const maxFunctionLines = 70;
const runtimeGlobals = new Set(["process", "Bun", "Deno", "Buffer"]);

/** One specifier of an import, an export … from, an import() or an import type. */
interface Reference {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** Room of a file, by its path below src/. */
export function roomOf(path: string): string {
  const slash = path.indexOf("/");
  return slash >= 0 ? path.slice(0, slash) : (rootFiles[path] ?? "base");
}

/** Path below src/ that a relative specifier in `path` names. */
function resolved(path: string, specifier: string): string {
  return new URL(specifier, `file:///${path}`).pathname.slice(1);
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** Whether every name of the clause is imported or exported as a type. */
function hasOnlyTypes(node: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(node)) {
    const clause = node.exportClause;
    if (node.isTypeOnly || clause === undefined || !ts.isNamedExports(clause))
      return node.isTypeOnly;
    return clause.elements.length > 0 && clause.elements.every((element) => element.isTypeOnly);
  }
  const clause = node.importClause;
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const named = clause.namedBindings;
  if (clause.name !== undefined || named === undefined || !ts.isNamedImports(named)) return false;
  return named.elements.length > 0 && named.elements.every((element) => element.isTypeOnly);
}

function referenceOf(node: ts.Node): Reference | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
    const from = node.moduleSpecifier;
    if (from === undefined || !ts.isStringLiteral(from)) return undefined;
    return { specifier: from.text, typeOnly: hasOnlyTypes(node) };
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    const literal = node.argument.literal;
    return ts.isStringLiteral(literal) ? { specifier: literal.text, typeOnly: true } : undefined;
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    const [from] = node.arguments;
    if (from !== undefined && ts.isStringLiteralLike(from)) {
      return { specifier: from.text, typeOnly: false };
    }
  }
  return undefined;
}

function importProblem(
  path: string,
  { specifier, typeOnly }: Reference,
  entries: readonly string[],
): string | undefined {
  const from = roomOf(path);
  const room = rooms[from];
  if (room === undefined) return `lies in a room that the import table does not have: ${from}`;
  if (specifier.startsWith("node:")) {
    return room.namesRuntime ? undefined : `names a runtime: ${specifier}`;
  }
  if (!specifier.startsWith(".")) return undefined;
  const target = resolved(path, specifier);
  const to = roomOf(target);
  if (to === from || room.imports.includes(to)) return undefined;
  if (room.imports.includes("entry") && entries.includes(target)) return undefined;
  if (typeOnly && room.types?.includes(to)) return undefined;
  const kind = typeOnly ? "types of " : "";
  return `imports ${kind}${to} (${target}), which the import table does not allow to ${from}`;
}

/** The names that a file declares or imports: none of them is the global of that name. */
function declaredNames(file: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  walk(file, (node) => {
    const { name } = node as { name?: ts.Node };
    const isMember = ts.isPropertyAccessExpression(node) || ts.isClassElement(node);
    if (isMember || ts.isTypeElement(node) || ts.isObjectLiteralElement(node)) return;
    if (name !== undefined && ts.isIdentifier(name)) names.add(name.text);
  });
  return names;
}

/** Whether an identifier stands for a variable, and not for a member of something. */
function isVariable(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) {
    return ts.isIdentifier(parent.expression) && parent.expression.text === "globalThis";
  }
  if (ts.isQualifiedName(parent)) return parent.left === node;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  return (parent as { name?: ts.Node }).name !== node;
}

function globalProblem(path: string, name: string): string | undefined {
  const room = rooms[roomOf(path)];
  if (runtimeGlobals.has(name) && !room?.namesRuntime) return `names a runtime: ${name}`;
  if (name === "WebAssembly" && !room?.namesWebAssembly) return "names WebAssembly";
  return undefined;
}

function syntaxProblem(node: ts.Node, file: ts.SourceFile): string | undefined {
  if (node.kind === ts.SyntaxKind.AnyKeyword) return "uses any";
  if (ts.isEnumDeclaration(node)) return "declares an enum";
  if (ts.isModuleDeclaration(node)) return "declares a namespace";
  if (node.kind === ts.SyntaxKind.PrivateKeyword) return "uses private instead of #";
  if (ts.isExportAssignment(node) || node.kind === ts.SyntaxKind.DefaultKeyword) {
    if (!ts.isDefaultClause(node.parent)) return "has a default export";
  }
  if (ts.isExportSpecifier(node) && node.name.text === "default") return "has a default export";
  if (ts.isFunctionLike(node) && "body" in node && node.body !== undefined) {
    const lines = lineOf(file, node.end) - lineOf(file, node.getStart(file)) + 1;
    if (lines > maxFunctionLines) return `has a function of ${lines} lines`;
  }
  return undefined;
}

/** Whether a file declares a variable with `using` or `await using`. */
export function declaresUsing(path: string, text: string): boolean {
  if (!text.includes("using ")) return false;
  let found = false;
  walk(ts.createSourceFile(path, text, ts.ScriptTarget.Latest), (node) => {
    // The flags of `await using` are those of `using` and `const` together.
    if (ts.isVariableDeclarationList(node) && (node.flags & ts.NodeFlags.Using) !== 0) found = true;
  });
  return found;
}

const lineOf = (file: ts.SourceFile, position: number): number =>
  file.getLineAndCharacterOfPosition(position).line;

/**
 * Checks one source file.
 *
 * @param path Path below src/, with slashes.
 * @param entries Entry points of the package, as paths below src/.
 * @returns One line for each broken rule: `path:line does what is wrong`.
 */
export function brokenRules(path: string, text: string, entries: readonly string[]): string[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const declared = declaredNames(file);
  const broken: string[] = [];
  const add = (node: ts.Node, problem: string | undefined): void => {
    if (problem === undefined) return;
    broken.push(`src/${path}:${lineOf(file, node.getStart(file)) + 1} ${problem}`);
  };
  const isGenerated = text.startsWith("// Generated");
  const lines = text.trimEnd().split("\n").length;
  if (lines > maxFileLines && !isGenerated) broken.push(`src/${path} has ${lines} lines`);
  walk(file, (node) => {
    const reference = referenceOf(node);
    if (reference !== undefined) add(node, importProblem(path, reference, entries));
    add(node, syntaxProblem(node, file));
    if (ts.isIdentifier(node) && isVariable(node) && !declared.has(node.text)) {
      add(node, globalProblem(path, node.text));
    }
  });
  return broken;
}
