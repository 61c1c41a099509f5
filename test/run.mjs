/**
 * `npm test`: every test, under every runtime, against a real broker.
 *
 *   --runtime NAME   only bun, node22, node24, deno or package (the packed tarball)
 *   --only TEXT      only unit, only integration, or test files whose path contains TEXT
 *   --checks         the checks of .ci/checks.mjs too
 *   --quick          short forms of the long random tests; neither slow files nor slow checks
 *
 *   KAFKA_BOOTSTRAP=host:port    a broker to use instead of starting one
 *   HEADRACE_TEST_KAFKA=off      leaves out the tests that need a broker
 *
 * Two jobs run side by side. Tests that need the broker never run beside each other.
 *
 * The last line is `N passed, N failed`, with `, N skipped` when there are any.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { checks, slowChecks } from "../.ci/checks.mjs";
import { machineNode, root, setUp } from "../.ci/setup.mjs";
import { killAll, runProcess } from "./harness/process.mjs";
import { counter, countNode, nodeCommand, runners, testTimeoutMs } from "./harness/runners.mjs";
import { answers, fetchKafka, missingTool, startBroker } from "./kafka/broker.mjs";
import { packProject } from "./package/package.mjs";

const runnerLimitMs = 420_000;
const progressIntervalMs = 15_000;
const loadLimitMs = 30_000;
/** What explores a model, keeps threads busy, or runs whole programs: a third of the unit tests' time. */
const slowFiles = [
  "test/cli/demo.test.ts",
  "test/docs/console.bun.test.ts",
  "test/docs/examples.bun.test.ts",
  "test/worker/bundled.bun.test.ts",
  "test/worker/chaos.test.ts",
  "test/worker/protocol.bun.test.ts",
  "test/worker/threads.test.ts",
];
const integrationDirectory = "test/integration/";
const packageName = "package";

const total = { passed: 0, failed: 0, skipped: 0 };
const notes = [];
const say = (line) => process.stdout.write(`${line}\n`);
const seconds = (startedMs) => `${((Date.now() - startedMs) / 1000).toFixed(1)} s`;

function plural(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

function counted({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

function readArguments() {
  const { values } = parseArgs({
    options: {
      runtime: { type: "string" },
      only: { type: "string", default: "" },
      checks: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
    },
  });
  const names = [...runners.map((runner) => runner.name), packageName];
  if (values.runtime !== undefined && !names.includes(values.runtime)) {
    throw new RangeError(
      `Cannot choose a runtime as it is none of ${names.join(", ")}: received ${values.runtime}`,
    );
  }
  return values;
}

/** Test files that the arguments choose, sorted, as paths from the root. */
function chosenFiles({ only, quick }) {
  const found = readdirSync(path.join(root, "test"), { recursive: true })
    .map((name) => `test/${name.split(path.sep).join("/")}`)
    .filter((file) => file.endsWith(".test.ts") && !(quick && slowFiles.includes(file)))
    .sort();
  const misplaced = found.find((file) => /^test\/integration\/.*\.bun\.test\.ts$/.test(file));
  if (misplaced)
    throw new Error(`Cannot keep a test for Bun alone in test/integration: ${misplaced}`);
  const isIntegration = (file) => file.startsWith(integrationDirectory);
  const matches = ["", "unit", "integration"].includes(only)
    ? () => true
    : (file) => file.includes(only);
  return {
    unit:
      only === "integration" ? [] : found.filter((file) => !isIntegration(file) && matches(file)),
    integration:
      only === "unit" ? [] : found.filter((file) => isIntegration(file) && matches(file)),
  };
}

/** Adds what a runner counted, as one line; a run that broke off or ran nothing is a failure. */
function report(label, startedMs, counts, { code, output, timedOut }, passedLine) {
  const result = counts ?? { passed: 0, failed: 0, skipped: 0 };
  let problem = "";
  if (timedOut) problem = `did not end within ${runnerLimitMs / 1000} s`;
  else if (counts === undefined) problem = `ended without a summary (exit code ${code ?? "none"})`;
  else if (code !== 0 && result.failed === 0) problem = `ended with exit code ${code ?? "none"}`;
  else if (result.passed + result.failed === 0) problem = "executed no test";
  if (problem !== "") result.failed++;
  for (const name of Object.keys(total)) total[name] += result[name];
  say(`${label}  ${counted(result)}  ${seconds(startedMs)}${problem && `  ${problem}`}`);
  if (result.failed === 0) return;
  const shown = output.split("\n").filter((line) => !passedLine.test(line));
  say(shown.map((line) => `    ${line}`).join("\n"));
}

async function runSuite(runner, kind, files, environment, scratch) {
  const label = `${runner.name.padEnd(8)} ${kind.padEnd(11)}`;
  const startedMs = Date.now();
  const reportFile = path.join(scratch, `${runner.name}-${kind.replace("/", "-of-")}.xml`);
  const [command, args] = runner.command(files, reportFile);
  say(`${label}  ${plural(files.length, "file")} …`);
  let passed = 0;
  const timer = setInterval(
    () => say(`${label}  about ${plural(passed, "test")} so far, ${seconds(startedMs)}`),
    progressIntervalMs,
  );
  const ended = await runProcess(command, args, {
    cwd: root,
    env: environment,
    timeoutMs: runnerLimitMs,
    onLine: (line) => {
      if (runner.passedLine.test(line)) passed++;
    },
  });
  clearInterval(timer);
  report(label, startedMs, runner.count(ended.output, reportFile), ended, runner.passedLine);
}

async function leaveOut(runner, files, environment, scratch) {
  const reportFile = path.join(scratch, `${runner.name}-left-out`);
  const [command, args] = counter.command(files, reportFile);
  const env = { ...environment, HEADRACE_TEST_LEAVE_OUT: "1", KAFKA_BOOTSTRAP: "left-out:0" };
  const ended = await runProcess(command, args, { cwd: root, env, timeoutMs: runnerLimitMs });
  const counts = counter.count(ended.output, reportFile);
  if (ended.code !== 0 || counts === undefined) {
    throw new Error(`Cannot count the tests left out\n${ended.output}`);
  }
  total.skipped += counts.skipped;
  say(`${runner.name.padEnd(8)} integration  ${counts.skipped} skipped`);
}

async function runPackage(environment, scratch) {
  const label = `${packageName.padEnd(8)} ${"smoke".padEnd(11)}`;
  const startedMs = Date.now();
  const reportFile = path.join(scratch, `${packageName}.report`);
  say(`${label}  packing, installing, importing on ${machineNode()} …`);
  let ended;
  try {
    const file = await packProject(scratch);
    const [command, args] = nodeCommand(machineNode(), [file], reportFile);
    ended = await runProcess(command, args, {
      cwd: path.dirname(file),
      env: { ...environment, HEADRACE_ROOT: root },
      timeoutMs: runnerLimitMs,
    });
  } catch (error) {
    ended = { code: 1, output: error.message, timedOut: false };
  }
  report(label, startedMs, countNode(ended.output, reportFile), ended, /^\s*✔ /);
}

async function runChecks(quick, environment) {
  for (const check of quick ? checks : [...checks, ...slowChecks]) {
    const label = `check    ${check.name.padEnd(11)}`;
    const startedMs = Date.now();
    const [command, args] = check.command;
    const options = { cwd: root, env: environment, timeoutMs: runnerLimitMs };
    const ended = await runProcess(command, args, options);
    const failed = ended.code === 0 ? 0 : 1;
    report(label, startedMs, { passed: 1 - failed, failed, skipped: 0 }, ended, /^$/);
  }
}

/** One line that says why the tests that need a broker cannot run, or undefined. */
async function kafkaProblem() {
  const named = process.env.KAFKA_BOOTSTRAP;
  if (!named) return missingTool();
  const first = named.split(",")[0].trim();
  if (await answers(first, 5000)) return undefined;
  return `Cannot test against KAFKA_BOOTSTRAP as no Kafka broker answers there: received ${named}`;
}

/**
 * A new broker makes the topic of group offsets when it is first asked, and answers that it is loading until then.
 * Its partition is the hash of the group's name: four names in a row reach all four.
 */
async function loadGroups(bootstrap) {
  const { default: kafkajs } = await import("kafkajs");
  const logLevel = kafkajs.logLevel.NOTHING;
  const admin = new kafkajs.Kafka({ brokers: [bootstrap], logLevel }).admin();
  await admin.connect();
  const limitMs = Date.now() + loadLimitMs;
  for (let number = 0; number < 4; ) {
    try {
      await admin.fetchOffsets({ groupId: `load-${number}` });
      number++;
    } catch (error) {
      if (Date.now() > limitMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  await admin.disconnect();
}

/** The broker of this run: the one that is named, or a new one. */
async function openBroker(scratch) {
  if (process.env.KAFKA_BOOTSTRAP) {
    return { bootstrap: process.env.KAFKA_BOOTSTRAP, stop: async () => {} };
  }
  const startedMs = Date.now();
  say("kafka    fetching (once) and starting a broker …");
  await fetchKafka();
  const broker = await startBroker({ directory: path.join(scratch, "kafka") });
  await loadGroups(broker.bootstrap);
  say(`kafka    ${broker.bootstrap} answers after ${seconds(startedMs)}`);
  return broker;
}

/** What the runners see: this environment without npm's, and colours off. */
function runnerEnvironment(quick) {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_OPTIONS$|NODE_TEST|FORCE_COLOR$|KAFKA_BOOTSTRAP$)/.test(name),
  );
  return {
    ...Object.fromEntries(own),
    NO_COLOR: "1",
    DENO_NO_UPDATE_CHECK: "1",
    HEADRACE_TEST_TIMEOUT_MS: String(testTimeoutMs),
    ...(quick ? { HEADRACE_TEST_QUICK: "1" } : {}),
  };
}

async function runIntegration(chosenRunners, allFiles, withKafka, environment, scratch) {
  const broker = withKafka ? await openBroker(scratch) : undefined;
  if (!withKafka) notes.push("HEADRACE_TEST_KAFKA=off leaves out the tests that need a broker");
  for (const runner of chosenRunners) {
    const files = allFiles.filter(runner.accepts);
    if (files.length === 0) continue;
    if (broker === undefined) await leaveOut(runner, files, environment, scratch);
    else {
      const withBroker = { ...environment, KAFKA_BOOTSTRAP: broker.bootstrap };
      await runSuite(runner, "integration", files, withBroker, scratch);
    }
  }
  await broker?.stop();
}

/** The unit tests of a runtime as jobs of about the same length. */
function unitJobs(runner, unitParts, allFiles, environment, scratch) {
  const files = allFiles.filter(runner.accepts);
  return Array.from({ length: unitParts }, (_, part) => part)
    .map((part) => [part + 1, files.filter((_, at) => at % unitParts === part)])
    .filter(([, some]) => some.length > 0)
    .map(([part, some]) => {
      const kind = `unit ${part}/${unitParts}`;
      return () => runSuite(runner, kind, some, environment, scratch);
    });
}

async function runAll(chosen, files, withKafka, scratch) {
  const environment = runnerEnvironment(chosen.quick);
  const isChosen = ({ name }) => chosen.runtime === undefined || chosen.runtime === name;
  const chosenRunners = runners.filter(isChosen);
  const unitParts = chosen.quick ? 10 : 4;
  const units = chosenRunners.flatMap((one) =>
    unitJobs(one, unitParts, files.unit, environment, scratch),
  );
  const runUnits = async () => {
    for (let job = units.shift(); job !== undefined; job = units.shift()) await job();
  };
  const runOthers = async () => {
    if (files.integration.length > 0 && chosenRunners.length > 0) {
      await runIntegration(chosenRunners, files.integration, withKafka, environment, scratch);
    }
    if (chosen.checks) await runChecks(chosen.quick, environment);
    const withPackage = isChosen({ name: packageName }) && chosen.only === "";
    if (withPackage) await runPackage(environment, scratch);
    await runUnits();
  };
  await Promise.all([runUnits(), runOthers()]);
  if (total.passed + total.failed + total.skipped === 0) {
    throw new RangeError(`Cannot run any test as none matches: received --only ${chosen.only}`);
  }
}

async function main() {
  const chosen = readArguments();
  const files = chosenFiles(chosen);
  const wantsKafka = files.integration.length > 0 && chosen.runtime !== packageName;
  const withKafka = wantsKafka && process.env.HEADRACE_TEST_KAFKA !== "off";
  const problem = withKafka ? await kafkaProblem() : undefined;
  if (problem !== undefined) throw new Error(problem);

  const startedMs = Date.now();
  const scratch = mkdtempSync(path.join(tmpdir(), "headrace-test-"));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.once(signal, () => process.exit(130));
  }
  process.once("exit", () => {
    killAll();
    rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
  });
  try {
    // A run of one runtime tests src; only the packed package needs dist.
    await setUp({ built: chosen.runtime === undefined || chosen.runtime === packageName });
    await runAll(chosen, files, withKafka, scratch);
  } catch (error) {
    total.failed++;
    say(error.message);
  }
  say("");
  for (const note of notes) say(`skipped: ${note}`);
  say(`${seconds(startedMs)} in all`);
  say(counted(total));
  process.exit(total.failed > 0 ? 1 : 0);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
