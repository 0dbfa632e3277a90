#!/usr/bin/env node
// SPDX-License-Identifier: MIT OR Apache-2.0
// Starts the server, speaks the same questions many times, prints p50 and p95 of every stage and the cost of the session.
//
//   SIGHTLINE_BIN=target/release/sightline node bench.mjs [--turns 20] [--gap 8] [--watch SECONDS] [--picture FILE]
import { resolve } from "node:path";
import { photographs } from "./lib/media.mjs";
import { serverMissing, startServer, usage } from "./lib/server.mjs";
import { converse } from "./lib/turns.mjs";

const QUESTIONS = ["What do you see?", "What colour is it?", "Is there any text?", "Where is it?"];
const options = { turns: 20, gap: 8, watch: 0, picture: null };
const args = process.argv.slice(2);
while (args.length > 0) {
  const flag = args.shift().replace(/^--/, "");
  if (!Object.hasOwn(options, flag)) {
    console.error(`--${flag} is not known`);
    process.exit(2);
  }
  options[flag] = flag === "picture" ? resolve(args.shift()) : Number(args.shift());
}
const missing = serverMissing();
const picture = options.picture ?? (await photographs())?.coffee;
if (missing || !picture) {
  console.error(missing ?? "no picture: give one with --picture FILE");
  process.exit(2);
}

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)];
const server = await startServer({ name: "bench" });
let began;
let ended;
const wall = { from: 0, to: 0 };
const memory = [];
const watching = options.watch > 0 ? setInterval(() => memory.push(usage(server.pid).rssMiB), options.watch * 1000) : null;
const { turns, errors } = await converse({
  url: server.url,
  picture,
  name: "bench",
  gap: options.gap,
  questions: Array.from({ length: options.turns }, (_, n) => QUESTIONS[n % QUESTIONS.length]),
  before: () => ((began = usage(server.pid)), (wall.from = performance.now())),
  after: () => ((ended = usage(server.pid)), (wall.to = performance.now())),
});
clearInterval(watching);
await server.stop();

const stages = { "end of speech known": "vad_end_ms", "speech to text": "asr_ms", "recalling the past": "recall_ms", "fresh look": "perceive_ms", prefill: "prefill_ms", "prompt to first token": "first_token_ms", "end of speech to first token": "total_ms", "end of speech to first words": "first_words_ms" };
const rows = Object.entries(stages).map(([name, key]) => [name, turns.map((t) => t.latency?.[key])]);
rows.push(["the same, at the page", turns.map((t) => t.heardMs)]);
console.log(`${turns.length} spoken turns, milliseconds`);
for (const [name, values] of rows) {
  const sorted = values.filter((v) => typeof v === "number").sort((a, b) => a - b);
  if (sorted.length === 0) continue;
  console.log(`${name.padEnd(30)} p50 ${String(Math.round(quantile(sorted, 0.5))).padStart(6)}   p95 ${String(Math.round(quantile(sorted, 0.95))).padStart(6)}   (${sorted.length})`);
}
const cores = ((ended.cpuSeconds - began.cpuSeconds) * 1000) / (wall.to - wall.from);
const right = turns.filter((t) => similar(t.transcript, t.question)).length;
console.log(`server: ${(cores * 100).toFixed(0)} % of a core over the session, ${ended.rssMiB.toFixed(0)} MiB resident; ${right} of ${turns.length} transcripts exact`);
if (memory.length > 0) console.log(`resident every ${options.watch} s, MiB: ${memory.map((m) => m.toFixed(0)).join(" ")}`);
for (const error of errors) console.log(`error: ${error}`);

function similar(a, b) {
  const plain = (s) => (s ?? "").toLowerCase().replaceAll("colour", "color").replace(/[^a-z ]/g, "").trim();
  return plain(a) === plain(b);
}
