// SPDX-License-Identifier: MIT OR Apache-2.0
// What the clients in JavaScript share: the scenarios, a record of every event of the server, one line of JSON per scenario.
import { appendFileSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
/** Where the server is: `https://localhost:PORT`. */
export const URL_BASE = process.env.CONFORMANCE_URL;
export const RED = `data:image/png;base64,${readFileSync(process.env.CONFORMANCE_RED).toString("base64")}`;
export const WEATHER = {
  type: "function",
  name: "get_weather",
  description: "Get the current weather in a city",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false },
};
export const RESULT = JSON.stringify({ temperature_celsius: 21, sky: "clear" });
export const PATIENCE = 120000;

/** The version of an installed package. */
export function version(name) {
  const at = require.resolve(name).split(`/node_modules/${name}/`)[0];
  return JSON.parse(readFileSync(`${at}/node_modules/${name}/package.json`, "utf8")).version;
}

export function record(event) {
  appendFileSync(process.env.CONFORMANCE_EVENTS, `${JSON.stringify(event)}\n`);
}

export function check(ok, why) {
  if (!ok) throw new Error(why);
}

/** Runs the scenarios in order; the first that fails does not stop the others. */
export async function scenarios(client, list) {
  let failed = false;
  for (const [name, work] of Object.entries(list)) {
    let late;
    const clock = new Promise((_, reject) => (late = setTimeout(() => reject(new Error(`no end within ${PATIENCE / 1000} s`)), PATIENCE)));
    const began = Date.now();
    const why = await Promise.race([work(), clock]).then(() => null, (e) => String(e?.message ?? JSON.stringify(e)));
    clearTimeout(late);
    failed ||= why !== null;
    console.log(JSON.stringify({ client, scenario: name, ok: why === null, why, ms: Date.now() - began }));
  }
  return failed;
}
