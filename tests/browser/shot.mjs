#!/usr/bin/env node
// SPDX-License-Identifier: MIT OR Apache-2.0
// Makes the picture in the README from a real conversation: node shot.mjs --url URL --out FILE.png [--dark] [--phone] [--picture FILE] [QUESTION...]
import { copyFileSync } from "node:fs";
import { resolve } from "node:path";
import { photographs } from "./lib/media.mjs";
import { converse } from "./lib/turns.mjs";

const options = { url: "http://127.0.0.1:8080", out: "screenshot.png", dark: false, phone: false, picture: null };
const questions = [];
const args = process.argv.slice(2);
while (args.length > 0) {
  const word = args.shift();
  if (word === "--dark" || word === "--phone") options[word.slice(2)] = true;
  else if (["--url", "--out", "--picture"].includes(word)) options[word.slice(2)] = args.shift();
  else questions.push(word);
}
const picture = options.picture ? resolve(options.picture) : (await photographs())?.coffee;
if (!picture) {
  console.error("no picture: give one with --picture FILE");
  process.exit(2);
}
const page = options.phone ? { viewport: { width: 390, height: 844 }, scale: 2, touch: true } : { viewport: { width: 1280, height: 800 }, scale: 2 };
const { screenshot, turns, errors } = await converse({
  url: options.url.replace(/\/$/, ""),
  picture,
  name: "shot",
  questions: questions.length > 0 ? questions : ["What do you see?"],
  typed: ["What colour is it?"],
  page: { ...page, dark: options.dark },
});
copyFileSync(screenshot, resolve(options.out));
for (const turn of turns) console.log(`${turn.transcript ?? turn.question} → ${turn.answer}`);
for (const error of errors) console.error(error);
