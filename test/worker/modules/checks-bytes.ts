import type { Message } from "../../../src/types.ts";

/** Values are one byte again and again, which follows from the offset; the call takes a moment. */
export async function eachMessage({ value, offset }: Message): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, offset % 3));
  if (!value!.every((byte) => byte === offset % 251)) throw new Error("overwritten");
}
