#!/usr/bin/env node
// SPDX-License-Identifier: MIT OR Apache-2.0
// Makes the picture in the README from a real conversation: node shot.mjs --url URL --out FILE.png [--dark] [--phone] [--picture FILE] [QUESTION...]
// Without --picture the camera is shown a cat, a sign, a person and a cup, one after the other, and is asked about what is over.
import { copyFileSync } from "node:fs";
import { resolve } from "node:path";
import { launch } from "./lib/browser.mjs";
import { artifact, drawPicture, photographs } from "./lib/media.mjs";
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
/** Seconds that each picture of the reel is shown. */
const EACH = 12;

async function reel() {
  const photos = await photographs();
  if (!photos) return null;
  const browser = await launch({});
  try {
    return [photos.chelsea, await drawPicture(browser, "exit", artifact("shot-exit.png")), photos.astronaut, photos.coffee];
  } finally {
    await browser.close();
  }
}

const picture = options.picture ? resolve(options.picture) : await reel();
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
  lead: Array.isArray(picture) ? (picture.length - 1) * EACH + 6 : 2.5,
  typed: Array.isArray(picture) ? ["What did I show you at the beginning?", "What did the sign say?"] : ["What colour is it?"],
  page: { ...page, dark: options.dark },
});
copyFileSync(screenshot, resolve(options.out));
for (const turn of turns) console.log(`${turn.transcript ?? turn.question} → ${turn.answer}`);
for (const error of errors) console.error(error);
