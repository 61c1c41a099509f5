/** Writes Kafka's embedded consumer protocol. */
import { Buffer } from "node:buffer";

const encoder = new TextEncoder();

/** Big-endian integers; strings, bytes and arrays with their length before them. */
export class ProtocolWriter {
  #bytes: number[] = [];

  int16(value: number): this {
    this.#bytes.push((value >> 8) & 0xff, value & 0xff);
    return this;
  }

  int32(value: number): this {
    this.#bytes.push((value >>> 24) & 0xff, (value >>> 16) & 0xff);
    return this.int16(value & 0xffff);
  }

  string(value: string): this {
    const bytes = encoder.encode(value);
    this.int16(bytes.length);
    for (const byte of bytes) this.#bytes.push(byte);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.int32(value.length);
    for (const byte of value) this.#bytes.push(byte);
    return this;
  }

  /** An array of partitions by topic: what assignments and reports of owned partitions carry. */
  partitionsByTopic(partitions: ReadonlyMap<string, readonly number[]>): this {
    this.int32(partitions.size);
    for (const [topic, numbers] of partitions) {
      this.string(topic).int32(numbers.length);
      for (const number of numbers) this.int32(number);
    }
    return this;
  }

  finish(): Buffer {
    return Buffer.from(this.#bytes);
  }
}
