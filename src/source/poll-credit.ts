import type { Clock, TimerHandle } from "../types.ts";

/** Longest time that a delivery is held before its partition is paused, and that a source rests (F1). */
const MAX_HOLD_MS = 50;

/** What a source waits for: 50 ms, unless it ends before. */
interface Wait {
  readonly over: Promise<void>;
  readonly end: () => void;
}

/** What one partition has polled and not finished. */
export interface CreditAccount {
  messages: number;
  bytes: number;
  paused: boolean;
  /** Most messages, where the completed map does not hold what lies above the committed offset (O6). */
  mapLimit: number;
  readonly pause: () => void;
  readonly resume: () => void;
  /** After a delivery above its share. */
  hold: Wait | null;
  /** Before the source reads on: while the partition has so many messages. */
  rest: (Wait & { readonly messages: number }) | null;
}

/**
 * Who may poll how much (F1): of `maxInFlightMessages` and of `maxInFlightBytes`, half is owned by the partitions in
 * equal shares, the other half goes to whoever comes first.
 *
 * A partition above its share is first held (its source waits at most 50 ms), then paused, and resumed below half of
 * what it may use. One delivery is always accepted, so limits are soft by one delivery a partition.
 */
export class PollCredit {
  readonly #clock: Clock;
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  readonly #accounts = new Set<CreditAccount>();

  constructor(clock: Clock, maxMessages: number, maxBytes: number) {
    this.#clock = clock;
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  open(pause: () => void, resume: () => void): CreditAccount {
    const account: CreditAccount = {
      messages: 0,
      bytes: 0,
      paused: false,
      mapLimit: Number.POSITIVE_INFINITY,
      pause,
      resume,
      hold: null,
      rest: null,
    };
    this.#accounts.add(account);
    return account;
  }

  close(account: CreditAccount): void {
    this.#accounts.delete(account);
    account.hold?.end();
    account.rest?.end();
    for (const other of this.#accounts) this.#settle(other);
  }

  /** @returns A promise while the partition is above its share: the source waits for it. */
  charge(account: CreditAccount, messages: number, bytes: number): Promise<void> | undefined {
    account.messages += messages;
    account.bytes += bytes;
    if (account.paused || !this.isOver(account, 1)) return undefined;
    // A batch that was on its way joins the hold that runs.
    account.hold ??= this.#hold(account);
    return account.hold.over;
  }

  /** Messages have ended. */
  refund(account: CreditAccount, messages: number, bytes: number): void {
    account.messages -= messages;
    account.bytes -= bytes;
    if (account.rest !== null && account.messages < account.rest.messages) account.rest.end();
    this.#settle(account);
  }

  /** @returns A promise while the partition has so many messages: it settles when it has less, in 50 ms at most. */
  restWith(account: CreditAccount, messages: number): Promise<void> | undefined {
    if (account.messages < messages || !this.#accounts.has(account)) return undefined;
    account.rest ??= { ...this.#wait(() => (account.rest = null)), messages };
    return account.rest.over;
  }

  /**
   * A commit's map did not fit, or did (O6): what the partition may have in flight is halved, or doubled.
   *
   * @param least Messages that it may have in any case.
   */
  mapFitted(account: CreditAccount, fitted: boolean, least: number): void {
    if (fitted) {
      account.mapLimit *= 2;
      if (account.mapLimit >= this.#maxMessages) account.mapLimit = Number.POSITIVE_INFINITY;
      this.#settle(account);
    } else {
      account.mapLimit = Math.max(least, Math.min(account.mapLimit, this.#maxMessages) / 2);
    }
  }

  /** True when the partition uses more than `part` of what it may. */
  isOver(account: CreditAccount, part: number): boolean {
    return (
      account.messages > part * this.#messageLimit(account) ||
      account.bytes > part * this.#limit(account, "bytes", this.#maxBytes)
    );
  }

  #messageLimit(account: CreditAccount): number {
    return Math.min(account.mapLimit, this.#limit(account, "messages", this.#maxMessages));
  }

  /** Its own share, and what the others have left of the common half. */
  #limit(account: CreditAccount, unit: "messages" | "bytes", budget: number): number {
    const owned = budget / 2 / this.#accounts.size;
    let common = budget / 2;
    for (const other of this.#accounts) {
      if (other !== account) common -= Math.max(0, other[unit] - owned);
    }
    return owned + Math.max(0, common);
  }

  #settle(account: CreditAccount): void {
    if (account.hold !== null && !this.isOver(account, 1)) account.hold.end();
    if (account.paused && !this.isOver(account, 0.5)) {
      account.paused = false;
      account.resume();
    }
  }

  #hold(account: CreditAccount): Wait {
    return this.#wait((isTimeUp) => {
      account.hold = null;
      if (!isTimeUp || !this.#accounts.has(account) || !this.isOver(account, 1)) return;
      account.paused = true;
      account.pause();
    });
  }

  #wait(ended: (isTimeUp: boolean) => void): Wait {
    let end = (_: boolean): void => {};
    const over = new Promise<void>((resolve) => {
      const timer: TimerHandle = this.#clock.setTimer(() => end(true), MAX_HOLD_MS);
      end = (isTimeUp) => {
        this.#clock.clearTimer(timer);
        ended(isTimeUp);
        resolve();
      };
    });
    return { over, end: () => end(false) };
  }
}
