/**
 * A real Apache Kafka broker (KRaft, one node) on this machine, from the jars that pom.xml names.
 *
 * `npm test` starts one for all tests; a test that kills or restarts its broker starts its own.
 */
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";

const pomFile = fileURLToPath(new URL("./pom.xml", import.meta.url));
const cacheDirectory = fileURLToPath(new URL("../../node_modules/.cache/", import.meta.url));
const kafkaVersion = /<kafka.version>(.*)<\/kafka.version>/.exec(readFileSync(pomFile, "utf8"))[1];
const jarsDirectory = path.join(cacheDirectory, `kafka-${kafkaVersion}`);

const host = "127.0.0.1";
const startLimitMs = 60_000;
const stopLimitMs = 20_000;
const minJavaVersion = 17;

/** One line that says what is missing on this machine to run a broker, or undefined. */
export function missingTool() {
  const way = "or name a broker in KAFKA_BOOTSTRAP, or set HEADRACE_TEST_KAFKA=off";
  const java = spawnSync("java", ["-version"], { encoding: "utf8" });
  const version = Number(/version "(\d+)/.exec(java.stderr ?? "")?.[1] ?? 0);
  if (version < minJavaVersion) {
    const found = version === 0 ? "no working java is" : `java ${version} is`;
    return `Cannot start Kafka as ${found} on the PATH: install Java ${minJavaVersion} or newer, ${way}`;
  }
  if (!hasJars() && spawnSync("mvn", ["--version"]).status !== 0) {
    return `Cannot fetch Kafka as no working mvn is on the PATH: install Maven 3, ${way}`;
  }
  return undefined;
}

const hasJars = () => existsSync(jarsDirectory);

/**
 * Fetches the broker's jars through Maven, once.
 *
 * @throws {Error} With Maven's output.
 */
export async function fetchKafka() {
  if (hasJars()) return;
  mkdirSync(cacheDirectory, { recursive: true });
  // Renamed when complete: an interrupted fetch, or two at once, leave no half-full directory.
  const partial = `${jarsDirectory}.${process.pid}`;
  const goal = ["dependency:copy-dependencies", "-DincludeScope=runtime"];
  const args = ["-q", "-B", "-f", pomFile, ...goal, `-DoutputDirectory=${partial}`];
  const maven = spawn("mvn", args, { stdio: ["ignore", "pipe", "pipe"] });
  const { code, output } = await ended(maven);
  if (code !== 0) {
    rmSync(partial, { recursive: true, force: true });
    throw new Error(`Cannot fetch Kafka ${kafkaVersion} with mvn ${args.join(" ")}\n${output}`);
  }
  if (hasJars()) rmSync(partial, { recursive: true });
  else renameSync(partial, jarsDirectory);
}

async function ended(child) {
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk) => {
      output += chunk;
    });
  }
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { code, output };
}

/** Two ports that nobody listens on now: the broker's and its controller's. */
async function freePorts() {
  const servers = [createServer(), createServer()];
  for (const server of servers) {
    await new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, host, resolve);
    });
  }
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function properties(directory, port, controllerPort, settings) {
  const all = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@${host}:${controllerPort}`,
    listeners: `PLAINTEXT://${host}:${port},CONTROLLER://${host}:${controllerPort}`,
    "advertised.listeners": `PLAINTEXT://${host}:${port}`,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "log.dirs": path.join(directory, "data"),
    "auto.create.topics.enable": false,
    // Records of tests may be of long ago; retention would take them away in the middle of a test.
    "log.retention.ms": -1,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 2,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    // Tests of rebalances and session timeouts must not wait for the defaults of a cluster.
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 300,
    // A killed broker may come back only when its former registration has expired (default 9 s).
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
    ...settings,
  };
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

/** Writes the configuration, and formats the data directory unless an earlier broker did. */
async function prepare(directory, ports, settings) {
  mkdirSync(directory, { recursive: true });
  const file = path.join(directory, "server.properties");
  writeFileSync(file, properties(directory, ...ports, settings));
  if (existsSync(path.join(directory, "data/meta.properties"))) return file;
  // A Kafka Uuid: 16 bytes as base64url, never with a leading dash.
  const clusterId = `h${randomBytes(16).toString("base64url").slice(1)}`;
  const format = ["kafka.tools.StorageTool", "format", "-t", clusterId, "-c", file];
  const tool = spawn("java", [...javaOptions, ...format], { stdio: ["ignore", "pipe", "pipe"] });
  const { code, output } = await ended(tool);
  if (code !== 0) throw new Error(`Cannot format ${directory} for Kafka\n${output}`);
  return file;
}

const javaOptions = ["-Xms256m", "-Xmx768m", "-cp", path.join(jarsDirectory, "*")];

/** Whether a broker answers an ApiVersions request there. */
export function answers(address, timeoutMs = 2000) {
  const [name, port] = address.split(/:(?=\d+$)/);
  return new Promise((resolve) => {
    const socket = connect(Number(port), name);
    const settle = (result) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(timeoutMs, () => settle(false));
    socket.once("error", () => settle(false));
    socket.once("close", () => settle(false));
    socket.once("data", () => settle(true));
    // int32 size, int16 api key 18, int16 version 0, int32 correlation id, int16 client id -1
    socket.write(Buffer.from("0000000a001200000000000affff", "hex"));
  });
}

/**
 * Starts a broker and waits until it answers.
 *
 * @param options.directory Holds data, configuration and output; used again, the data is kept.
 * @param options.port The port of an earlier start, to restart at the same address. Default: a free one.
 * @param options.settings More broker settings, by name.
 * @returns `{ bootstrap, port, stop(), kill() }`; stop is orderly, kill is `kill -9`, and both wait
 *   for the end of the process. The broker also ends with the process that started it.
 * @throws {Error} With the broker's last output when it does not start.
 */
export async function startBroker({ directory, port, settings = {} }) {
  await fetchKafka();
  const [firstPort, controllerPort] = await freePorts();
  const ports = [port ?? firstPort, controllerPort];
  const file = await prepare(directory, ports, settings);
  const outputFile = path.join(directory, "broker.out");
  const output = openSync(outputFile, "w");
  const args = [...javaOptions, "kafka.Kafka", file];
  const child = spawn("java", args, { stdio: ["ignore", output, output] });
  closeSync(output);
  // A process that ends early, whatever the reason, takes its broker with it.
  const killNow = () => child.kill("SIGKILL");
  process.once("exit", killNow);
  const exited = new Promise((resolve) => {
    child.once("exit", resolve);
    child.once("error", resolve);
  }).then(() => process.removeListener("exit", killNow));
  const running = () => child.exitCode === null && child.signalCode === null;
  const bootstrap = `${host}:${ports[0]}`;

  const end = async (signal) => {
    if (!running()) return;
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), stopLimitMs);
    await exited;
    clearTimeout(timer);
  };

  const limitMs = Date.now() + startLimitMs;
  while (!(await answers(bootstrap))) {
    if (!running() || Date.now() > limitMs) {
      await end("SIGKILL");
      const last = readFileSync(outputFile, "utf8").split("\n").slice(-20).join("\n");
      throw new Error(`Cannot start Kafka in ${directory}: see ${outputFile}\n${last}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    bootstrap,
    port: ports[0],
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
  };
}
