import type { LogListeners } from "../../adapters/log.ts";
import { explainError } from "../command-error.ts";
import { bytes, count, plural } from "../format.ts";
import type { Io } from "../io.ts";

/** Says on stderr what happens in a log that a command has open for writing. */
export function toldEvents(io: Io): LogListeners {
  const tell = (place: { topic: string; partition: number }, what: string): void => {
    io.err.write(`${place.topic}#${place.partition}: ${what}\n`);
  };
  return {
    tornTail: (event) => {
      const cut = plural(event.bytes, "byte");
      tell(event, `cut ${cut} that a crash left behind offset ${event.lastOffset}`);
    },
    corrupt: (event) => {
      const where = `position ${event.position} of ${event.file}`;
      tell(event, `damaged at ${where}: ${event.reason}`);
    },
    clockAhead: (event) => {
      const ahead = count((event.appendTimeMs - event.nowMs) / 1000);
      tell(event, `the newest message is ${ahead} s ahead of the clock`);
    },
    offsetAheadOfLog: (event) => {
      const { groupId, offset, logEnd } = event;
      tell(event, `group ${groupId} is at ${offset}, and the log ends at ${logEnd}`);
    },
    retentionBlocked: (event) => {
      tell(event, `${bytes(event.bytes)} stay for group ${event.groupId}`);
    },
    retentionFailed: (event) => {
      tell(event, `${event.file} stays: ${explainError(event.error)}`);
    },
    // The append that failed says so itself.
    writeFailed: () => {},
  };
}
