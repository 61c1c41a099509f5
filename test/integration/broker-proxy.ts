import { connect, createServer, type Server, type Socket } from "node:net";

/** What kafkajs gives to a socket factory. */
interface SocketRequest {
  readonly host: string;
  readonly port: number;
  readonly onConnect: () => void;
}

/** Stands between client and broker: connections of its `socketFactory` go through it. */
export abstract class BrokerProxy {
  readonly #server: Server;
  /** Where the next connection shall lead. */
  readonly #targets: { host: string; port: number }[] = [];

  constructor() {
    this.#server = createServer((client) => this.#accept(client));
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  close(): void {
    this.#server.close();
  }

  readonly socketFactory = ({ host, port, onConnect }: SocketRequest): Socket => {
    this.#targets.push({ host, port });
    const { port: own } = this.#server.address() as { port: number };
    return connect({ host: "127.0.0.1", port: own }, onConnect);
  };

  /**
   * Passes on what both sides say. When one side ends or fails, so does the other.
   *
   * @param end Ends both.
   */
  protected abstract relay(client: Socket, broker: Socket, end: () => void): void;

  #accept(client: Socket): void {
    const broker = connect(this.#targets.shift()!);
    const end = (): void => {
      client.destroy();
      broker.destroy();
    };
    for (const socket of [client, broker]) socket.on("error", end).on("close", end);
    this.relay(client, broker, end);
  }
}
