/** The connections of one kafkajs client, so that stopping can end what kafkajs would wait for. */
import * as net from "node:net";
import * as tls from "node:tls";
import type { SocketFactory, SocketRequest } from "./client.ts";
import { ResponseMemory } from "./response-memory.ts";
import { type OnRead, WholeResponses } from "./whole-responses.ts";

/** TCP keep-alive probes start after this; what kafkajs uses. */
const KEEP_ALIVE_MS = 60_000;

/** What kafkajs reports of connections that were ended here. */
const STOPPED = "the client is stopped";

/** A broker list, or a function that finds it. */
export type BrokerList = readonly string[] | (() => readonly string[] | Promise<readonly string[]>);

function openSocket({ host, port, ssl, onConnect }: SocketRequest, onread: OnRead): net.Socket {
  if (!ssl) return net.connect({ host, port, onread }, onConnect);
  // TLS names the host to the server (SNI), which must not be an address.
  const name = net.isIP(host) ? {} : { servername: host };
  const options = { host, port, onread, ...name, ...(ssl === true ? {} : ssl) };
  return tls.connect(options, onConnect);
}

/**
 * Keeps the sockets of a client and closes the door behind it.
 *
 * With long retries kafkajs reconnects for as long as the broker is away, also after `disconnect()`
 * was given up on, and it waits for requests in flight before it closes a connection. So:
 * `refuse()` makes the next reconnect fail for good (an empty broker list is what kafkajs does not
 * retry), and `destroy()` ends every request in flight.
 */
export class Sockets {
  /** Where their large responses are. */
  readonly memory: ResponseMemory = new ResponseMemory();
  readonly #open = new Set<net.Socket>();
  readonly #make: SocketFactory | undefined;
  readonly #brokers: BrokerList;
  #refused = false;

  constructor(brokers: BrokerList, make: SocketFactory | undefined) {
    this.#brokers = brokers;
    this.#make = make;
  }

  /** kafkajs's `brokers`: the list, until connections are refused. */
  readonly brokers = async (): Promise<readonly string[]> => {
    if (this.#refused) return [];
    return typeof this.#brokers === "function" ? this.#brokers() : this.#brokers;
  };

  /** kafkajs's `socketFactory`. */
  readonly factory: SocketFactory = (request) => {
    if (this.#refused) throw new Error(STOPPED);
    const make = this.#make;
    const responses = new WholeResponses(this.memory);
    const socket = make === undefined ? openSocket(request, responses.onread) : make(request);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    responses.attach(socket, make === undefined);
    this.#open.add(socket);
    socket.once("close", () => this.#open.delete(socket));
    return socket;
  };

  /** True once connections are refused: what kafkajs complains about then is expected. */
  get refused(): boolean {
    return this.#refused;
  }

  /** No new connection from now on. */
  refuse(): void {
    this.#refused = true;
  }

  /** Refuses new connections and ends the open ones; what waits for an answer fails. */
  destroy(): void {
    this.#refused = true;
    for (const socket of this.#open) {
      // kafkajs learns of a destroyed socket only through an error; one that it has closed itself
      // needs none.
      socket.destroy(socket.writableEnded ? undefined : new Error(STOPPED));
    }
  }
}
