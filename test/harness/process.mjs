/** Child processes of the test run: each with a time limit, none left behind. */
import { spawn } from "node:child_process";

/** Process groups that run now. */
const running = new Set();

/** Kills every child still running, with its own children. */
export function killAll() {
  for (const child of running) killGroup(child);
}

function killGroup(child) {
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended in the meantime: nothing is left to kill.
  }
}

/**
 * Runs a command to its end.
 *
 * @param options.onLine Called with every line of output as it comes.
 * @returns The exit code (undefined when a signal ended it), the output, and whether time ran out.
 */
export function runProcess(command, args, { cwd, env, timeoutMs, onLine = () => {} }) {
  // A group of its own, so that a time-out also reaches the processes that a runner starts.
  const child = spawn(command, args, {
    cwd,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream.setEncoding("utf8");
    stream.on("data", (chunk) => {
      output += chunk;
      const lines = (rest + chunk).split("\n");
      rest = lines.pop();
      for (const line of lines) onLine(line);
    });
  }
  return new Promise((resolve) => {
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child);
    }, timeoutMs);
    const ended = (code) => {
      clearTimeout(timer);
      running.delete(child);
      resolve({ code, output, timedOut });
    };
    child.once("error", (error) => {
      output += `${error.message}\n`;
      ended(1);
    });
    child.once("exit", () => {
      // What it started must not outlive it, nor hold the pipes open.
      killGroup(child);
    });
    child.once("close", (code) => ended(code ?? undefined));
  });
}
