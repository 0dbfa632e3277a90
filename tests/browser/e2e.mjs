#!/usr/bin/env node
// SPDX-License-Identifier: MIT OR Apache-2.0
// Shows pictures to a running server, asks about each, prints what came back as JSON.
//
//   node e2e.mjs --url http://127.0.0.1:8080 --pair cup.jpg "What do you see?" --typed sign.png "Can you read the text?"
import { basename, extname, resolve } from "node:path";
import { converse } from "./lib/turns.mjs";

const USAGE = "usage: node e2e.mjs --url URL (--pair PICTURE QUESTION | --typed PICTURE QUESTION)... [--lead SECONDS]";

function read(args) {
  const options = { url: "http://127.0.0.1:8080", lead: 2.5, pairs: [] };
  const rest = [...args];
  const next = () => rest.shift() ?? fail(USAGE);
  while (rest.length > 0) {
    const flag = rest.shift();
    if (flag === "--url") options.url = next().replace(/\/$/, "");
    else if (flag === "--lead") options.lead = Number(next());
    else if (flag === "--pair" || flag === "--typed") options.pairs.push({ spoken: flag === "--pair", picture: resolve(next()), question: next() });
    else fail(`${flag} is not known\n${USAGE}`);
  }
  if (options.pairs.length === 0) fail(USAGE);
  return options;
}

function fail(message) {
  console.error(message);
  process.exit(2);
}

const { url, lead, pairs } = read(process.argv.slice(2));
const results = [];
for (const [n, { spoken, picture, question }] of pairs.entries()) {
  const name = `e2e-${n + 1}-${basename(picture, extname(picture))}`;
  try {
    const { turns, ...rest } = await converse({ url, picture, lead, name, questions: spoken ? [question] : [], typed: spoken ? [] : [question] });
    results.push({ ...rest, ...turns[0] });
  } catch (error) {
    results.push({ picture, question, failed: String(error.message ?? error) });
  }
  const last = results.at(-1);
  console.error(`${basename(picture)}: ${last.transcript ?? last.question} → ${last.answer ?? last.failed}`);
}
console.log(JSON.stringify(results, null, 2));
process.exitCode = results.some((r) => r.failed || r.errors?.length > 0) ? 1 : 0;
