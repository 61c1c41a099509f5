/** The worker side of a game of tokens (tokens.ts). */
import process from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import { joinChannel } from "../../src/worker/create-channel.ts";
import { type Game, Player } from "./tokens.ts";

interface GameData {
  readonly memory: SharedArrayBuffer;
  readonly game: Game;
  readonly byBell: boolean;
  readonly blockMs: number;
}

const { memory, game, byBell, blockMs } = workerData as GameData;
const port = parentPort!;
const { end } = joinChannel(memory, { sleepsByBell: byBell, ring: () => port.postMessage("bell") });
port.on("message", () => end.rung());
port.postMessage("ready");
const player = new Player(end, game);
await player.listen({ blockMs: () => blockMs });
port.postMessage({ sent: player.sent, received: player.received });
// The listener above keeps the thread alive: its last message must be on its way first.
setImmediate(() => process.exit(0));
