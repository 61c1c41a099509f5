import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type DescField, ScalarType } from "@bufbuild/protobuf";
import { file_envelope } from "../../src/metadata/envelope-pb.ts";

const proto = readFileSync(new URL("../../src/metadata/envelope.proto", import.meta.url), "utf8");

/** Messages and fields, as the schema's text has them. */
function written(): string[] {
  const lines = proto.split("\n").map((line) => line.trim());
  return lines.flatMap((line) => {
    if (/^message \w+ \{$/.test(line)) return [line.slice(0, -2)];
    const field = /^(?:optional )?\w+ \w+ = \d+;$/.exec(line);
    return field === null ? [] : [field[0]];
  });
}

function typeOf(field: DescField): string {
  if (field.fieldKind === "message") return field.message.name;
  return field.fieldKind === "scalar" ? ScalarType[field.scalar].toLowerCase() : field.fieldKind;
}

describe("envelope-pb.ts", () => {
  test("is made from envelope.proto", () => {
    const made = file_envelope.messages.flatMap((message) => [
      `message ${message.name}`,
      ...message.fields.map((field) => {
        const optional = field.proto.proto3Optional ? "optional " : "";
        return `${optional}${typeOf(field)} ${field.name} = ${field.number};`;
      }),
    ]);
    expect(made.length).toBeGreaterThan(2);
    expect(written()).toEqual(made);
  });
});
