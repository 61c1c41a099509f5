/** A member of a group of the newer protocol (KIP-848), which kafkajs does not speak. */
import { connect } from "node:net";
import { bootstrap } from "./kafkajs-harness.ts";

const MEMBER = "AAAAAAAAAAAAAAAAAAAAAA";
/** Member epochs that join and leave. */
const JOIN = 0;
const LEAVE = -1;

const int16 = (value: number): Buffer => Buffer.from(new Int16Array([value]).buffer).swap16();
const int32 = (value: number): Buffer => Buffer.from(new Int32Array([value]).buffer).swap32();
const varint = (value: number): Buffer => Buffer.from([value]);
const compact = (text: string): Buffer =>
  Buffer.concat([varint(text.length + 1), Buffer.from(text)]);
const NULL = varint(0);
const EMPTY_ARRAY = varint(1);

async function heartbeat(groupId: string, topic: string, epoch: number): Promise<void> {
  const joins = epoch === JOIN;
  const request = Buffer.concat([
    ...[int16(68), int16(1), int32(7), int16(1), Buffer.from("x"), NULL],
    ...[compact(groupId), compact(MEMBER), int32(epoch), NULL, NULL],
    ...[int32(joins ? 30_000 : -1), joins ? Buffer.concat([varint(2), compact(topic)]) : NULL],
    ...[NULL, NULL, joins ? EMPTY_ARRAY : NULL, NULL],
  ]);
  const [host, port] = bootstrap.split(":");
  const code = await new Promise<number>((resolve, reject) => {
    const socket = connect(Number(port), host, () =>
      socket.write(Buffer.concat([int32(request.length), request])),
    );
    socket.once("error", reject);
    socket.once("data", (answer) => {
      socket.end();
      // Size, correlation id, tags, throttle time, then the error code.
      resolve(answer.readInt16BE(13));
    });
  });
  if (code !== 0) throw new Error(`the broker answered ${code}`);
}

/** Joins a group: with the one member that this file knows. */
export function joinNewer(groupId: string, topic: string): Promise<void> {
  return heartbeat(groupId, topic, JOIN);
}

/** Leaves it. */
export function leaveNewer(groupId: string, topic: string): Promise<void> {
  return heartbeat(groupId, topic, LEAVE);
}
