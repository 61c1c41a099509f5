import { type Io, type StopSignal, signalExitCode } from "./io.ts";

/**
 * Runs until it ends or a signal comes; a second signal leaves at once.
 *
 * @param act Gets the signal that asks it to stop; `stoppedBy()` names it then.
 */
export async function stoppable(
  io: Io,
  act: (signal: AbortSignal, stoppedBy: () => StopSignal | undefined) => Promise<number>,
): Promise<number> {
  const stop = new AbortController();
  let received: StopSignal | undefined;
  const unlisten = io.onSignal((signal) => {
    if (received !== undefined) io.exit(signalExitCode(received));
    received ??= signal;
    stop.abort();
  });
  try {
    return await act(stop.signal, () => received);
  } finally {
    unlisten();
  }
}
