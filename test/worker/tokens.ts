/**
 * A game for two channel ends that shows whether frames are lost, changed, doubled or out of order.
 *
 * Frames are tokens: who gets one that has hops left sends it back. With one token both sides sleep after every frame;
 * with many and a tiny ring they fill the rings and queue. Sizes and contents follow from the number of the frame.
 */
import type { ChannelEnd, ListenOptions } from "../../src/worker/channel.ts";
import type { FrameReader } from "../../src/worker/frame-reader.ts";

export interface Game {
  readonly tokens: number;
  /** Frames per token; even, so that it ends where it began. */
  readonly hops: number;
  readonly maxBytes: number;
  readonly seed: number;
}

const TOKEN_KIND = 7;

/** A 32-bit mix of a number (the finaliser of MurmurHash3 by Austin Appleby, public domain). */
function mixed(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function bodyLength(number: number, game: Game): number {
  const roll = mixed(game.seed + number);
  // Mostly small; one in eight anything up to the most.
  return roll % 8 === 0
    ? mixed(roll) % (game.maxBytes + 1)
    : roll % Math.min(32, game.maxBytes + 1);
}

/** Plays one side; settles when the channel is closed. */
export class Player {
  readonly #end: ChannelEnd;
  readonly #game: Game;
  sent = 0;
  received = 0;
  finished = 0;

  constructor(end: ChannelEnd, game: Game) {
    this.#end = end;
    this.#game = game;
  }

  start(): void {
    for (let token = 0; token < this.#game.tokens; token++) this.#send(this.#game.hops - 1);
    this.#end.flush();
  }

  listen(more: Omit<ListenOptions, "onFrame"> = {}): Promise<void> {
    return this.#end.listen({ onFrame: (frame) => this.#take(frame), ...more });
  }

  #take(frame: FrameReader): void {
    const number = this.received++;
    if (frame.kind !== TOKEN_KIND) throw new Error(`frame ${number} has kind ${frame.kind}`);
    const hops = frame.u32();
    const said = frame.u32();
    if (said !== number) throw new Error(`frame ${said} came as number ${number}`);
    const bytes = frame.bytes();
    const length = bodyLength(number, this.#game);
    if (bytes.length !== length) throw new Error(`frame ${number} has ${bytes.length} bytes`);
    const first = mixed(number);
    for (let at = 0; at < length; at++) {
      if (bytes[at] !== ((first + at) & 0xff)) throw new Error(`byte ${at} of frame ${number}`);
    }
    if (hops === 0) this.finished++;
    else this.#send(hops - 1);
    // Whoever got the last one closes: nobody sends any more.
    if (this.finished === this.#game.tokens) this.#end.close();
    // Now and then at once, most times with the batch.
    else if (first % 5 === 0) this.#end.flush();
  }

  #send(hops: number): void {
    const number = this.sent++;
    const bytes = new Uint8Array(bodyLength(number, this.#game));
    const first = mixed(number);
    for (let at = 0; at < bytes.length; at++) bytes[at] = first + at;
    const frame = this.#end.begin(TOKEN_KIND);
    frame.u32(hops);
    frame.u32(number);
    frame.bytes(bytes);
    this.#end.commit();
  }
}
