// SPDX-License-Identifier: MIT OR Apache-2.0
// The real server, started for a test and ended with it.
import { spawn } from "node:child_process";
import { createWriteStream, existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { artifact } from "./media.mjs";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../../..");

/** Why the server cannot be tested here, or null. */
export function serverMissing() {
  const binary = process.env.SIGHTLINE_BIN;
  if (!binary) return "SIGHTLINE_BIN is not set";
  if (!existsSync(binary)) return `SIGHTLINE_BIN=${binary} is not there`;
  if (!existsSync(process.env.SIGHTLINE_MODELS ?? join(ROOT, "models"))) return "no weights: `sightline models pull`, or set SIGHTLINE_MODELS";
  return null;
}

async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/**
 * Starts `SIGHTLINE_BIN` on a free port and waits until it is ready. `set` is a list of `SECTION.KEY=VALUE`.
 * Its log goes to tests/artifacts/server-NAME.log.
 */
export async function startServer({ name = "test", set = [], port = null, readyMs = 180000 } = {}) {
  const at = port ?? (await freePort());
  const args = ["serve", "--bind", `127.0.0.1:${at}`, ...set.flatMap((s) => ["--set", s])];
  const log = artifact(`server-${name}.log`);
  // How many sessions a machine carries is no matter of the page.
  const env = { SIGHTLINE__SERVER__ADMISSION: "fixed", ...process.env };
  const child = spawn(process.env.SIGHTLINE_BIN, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
  const file = createWriteStream(log);
  child.stdout.pipe(file, { end: false });
  child.stderr.pipe(file, { end: false });
  const ended = new Promise((resolve) => child.on("exit", (code, signal) => resolve(code ?? signal)));
  let over = false;
  void ended.then(() => (over = true));
  const url = `http://127.0.0.1:${at}`;
  const deadline = Date.now() + readyMs;
  while (!over && Date.now() < deadline) {
    const ready = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2000) }).then((r) => r.ok, () => false);
    if (ready) return { url, port: at, pid: child.pid, log, ended, stop: () => stop(child, ended), kill: () => (child.kill("SIGKILL"), ended) };
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  child.kill("SIGKILL");
  throw new Error(`the server did not become ready; the end of its log:\n${readFileSync(log, "utf8").slice(-2000)}`);
}

async function stop(child, ended) {
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), 15000);
  const code = await ended;
  clearTimeout(late);
  return code;
}

/** One gauge or counter of `/metrics`, summed over its labels, or with its labels, as `name{label="value"}`; null when it is not there. */
export async function metric(url, name) {
  const text = await (await fetch(`${url}/metrics`)).text();
  const values = text.split("\n").filter((l) => l.startsWith(name) && /[ {]/.test(l[name.length] ?? "")).map((l) => Number(l.split(" ").at(-1)));
  return values.length === 0 ? null : values.reduce((a, b) => a + b, 0);
}

/** Processor seconds and resident MiB of a process, from /proc. */
export function usage(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
  return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100, rssMiB: rss ? Number(rss[1]) / 1024 : 0 };
}
