/** Ready-made deserializers for `TopicOptions.deserializer`. A null value (a tombstone) gives null. */
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import type { Deserializer } from "./types.ts";

const decoder: TextDecoder = new TextDecoder("utf-8", { fatal: true });

/** The value as UTF-8 text; bytes that are not UTF-8 fail the attempt. */
export function text(): Deserializer<string | null> {
  return (value) => (value === null ? null : decoder.decode(value));
}

/** The value parsed as JSON. The type is taken on trust. */
export function json<T>(): Deserializer<T> {
  return (value) => (value === null ? null : JSON.parse(decoder.decode(value))) as T;
}

/** The value as a message of a protobuf schema made by `protoc-gen-es`. */
export function protobuf<D extends DescMessage>(schema: D): Deserializer<MessageShape<D> | null> {
  return (value) => (value === null ? null : fromBinary(schema, value));
}
