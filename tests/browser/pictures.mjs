#!/usr/bin/env node
// SPDX-License-Identifier: MIT OR Apache-2.0
// Shows real photographs to the page, one after another, asks aloud what is to be seen, and checks that the answer names the main thing.
// The photographs and what people say about them come from a folder with captions.jsonl ({"file", "captions"} per line).
// The main thing is a noun that every caption of a picture uses, nearly all of them within their first six words: the subject of what people say.
// The first --count such pictures by name are taken, so nobody chooses.
//
//   SIGHTLINE_BIN=target/release/sightline node pictures.mjs --folder FOLDER [--count 10] [--skip 0]
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { serverMissing, startServer } from "./lib/server.mjs";
import { converse } from "./lib/turns.mjs";

// Word in captions → words in an answer that name the same.
const NOUNS = {
  bear: ["bear"], cat: ["cat"], dog: ["dog", "puppy", "terrier", "retriever", "hound"], horse: ["horse"], sheep: ["sheep", "lamb", "ram"], cow: ["cow", "cattle", "ox"],
  elephant: ["elephant"], zebra: ["zebra"], giraffe: ["giraffe"], bird: ["bird"], bus: ["bus"], train: ["train", "locomotive"], truck: ["truck"],
  boat: ["boat", "ship"], airplane: ["airplane", "plane", "airliner"], plane: ["airplane", "plane", "airliner"], motorcycle: ["motorcycle", "moped", "scooter"], bicycle: ["bicycle", "bike"],
  pizza: ["pizza"], cake: ["cake"], banana: ["banana"], sandwich: ["sandwich"], broccoli: ["broccoli"], laptop: ["laptop", "computer", "notebook"],
  toilet: ["toilet"], bed: ["bed"], refrigerator: ["refrigerator", "fridge"], clock: ["clock"], vase: ["vase"], umbrella: ["umbrella"],
  kite: ["kite"], surfboard: ["surfboard", "surf"], skateboard: ["skateboard"], tennis: ["tennis", "racket"], baseball: ["baseball"], bench: ["bench"],
  hydrant: ["hydrant"], bathroom: ["bathroom", "toilet", "sink", "bathtub"], kitchen: ["kitchen", "refrigerator", "oven", "microwave", "stove"],
};
const options = { folder: null, count: 10, skip: 0 };
const args = process.argv.slice(2);
while (args.length > 0) {
  const flag = args.shift().replace(/^--/, "");
  if (!Object.hasOwn(options, flag)) fail(`--${flag} is not known`);
  options[flag] = flag === "folder" ? resolve(args.shift()) : Number(args.shift());
}
const list = options.folder && join(options.folder, "captions.jsonl");
if (!list || !existsSync(list)) fail("give a folder that holds captions.jsonl with --folder");
const missing = serverMissing();
if (missing) fail(missing);

const pictures = readFileSync(list, "utf8")
  .split("\n")
  .filter(Boolean)
  .map((line) => JSON.parse(line))
  .sort((a, b) => a.file.localeCompare(b.file))
  .map(({ file, captions }) => ({ file, noun: Object.keys(NOUNS).find((n) => isSubject(n, captions)) }))
  .filter((p) => p.noun)
  .slice(options.skip, options.skip + options.count);

const server = await startServer({ name: "pictures" });
let right = 0;
for (const { file, noun } of pictures) {
  const { turns } = await converse({ url: server.url, picture: join(options.folder, file), name: `picture-${file.replace(/\W/g, "")}`, questions: ["What do you see?"] });
  const answer = turns[0]?.answer ?? "";
  const named = NOUNS[noun].some((word) => answer.toLowerCase().includes(word));
  right += named ? 1 : 0;
  console.log(`${named ? "✓" : "✗"} ${file}  ${noun.padEnd(12)} heard “${turns[0]?.transcript ?? ""}”  ${answer}`);
}
await server.stop();
console.log(`${right} of ${pictures.length} answers name the main thing`);
process.exit(right * 10 >= pictures.length * 8 ? 0 : 1);

function isSubject(noun, captions) {
  const word = new RegExp(`\\b${noun}s?\\b`, "i");
  const early = captions.filter((c) => word.test(c.trim().split(/\s+/).slice(0, 6).join(" "))).length;
  return captions.every((c) => word.test(c)) && early >= captions.length - 1;
}

function fail(text) {
  console.error(text);
  process.exit(2);
}
