/** A broker that runs. It ends with the process that started it, at the latest. */
export interface Broker {
  /** host:port */
  readonly bootstrap: string;
  readonly port: number;
  /** Orderly stop; waits for its end. */
  stop(): Promise<void>;
  /** `kill -9`; waits for its end. */
  kill(): Promise<void>;
}

export interface BrokerOptions {
  /** Holds data, configuration and output; used again, the data is kept. */
  readonly directory: string;
  /** Port of an earlier start, to restart at the same address. Default: a free one. */
  readonly port?: number;
  /** More broker settings, by name. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
}

export function missingTool(): string | undefined;
export function fetchKafka(): Promise<void>;
export function answers(address: string, timeoutMs?: number): Promise<boolean>;
export function startBroker(options: BrokerOptions): Promise<Broker>;
