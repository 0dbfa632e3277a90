// SPDX-License-Identifier: MIT OR Apache-2.0
// One conversation through the page: what was understood, what was answered, how long it took.
import { launch, openPage, waitWire, wire } from "./browser.mjs";
import { artifact, makeClip, makeReel, makeSpeech } from "./media.mjs";

/** Remembers when the microphone began: the recording starts then. */
function markCapture() {
  const get = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const stream = await get(constraints);
    if (constraints.audio) window.__captureAt ??= performance.now();
    return stream;
  };
}

/** Shows a picture, or several one after the other, and asks spoken questions, one after another, then typed ones. Closes the browser afterwards. `turnsExpected`: not every question is to be answered. `seen`: what is waited for before something is typed, as `waitSeen` takes it. */
export async function converse({ url, picture, questions = [], typed = [], lead = 2.5, gap = 9, name = "turn", timeout = 90000, page: pageOptions = {}, before, after, turnsExpected = Infinity, seen }) {
  const make = Array.isArray(picture) ? makeReel : makeClip;
  const clip = await make(picture, artifact(`${name}.mjpeg`));
  const times = await makeSpeech(questions.map((text, n) => ({ text, at: lead + n * gap })), artifact(`${name}.wav`));
  const browser = await launch({ clip, wav: questions.length > 0 ? artifact(`${name}.wav`) : undefined });
  try {
    const page = await openPage(browser, { init: `(${markCapture})()`, ...pageOptions });
    // A fake microphone without a recording beeps: typed questions are asked without one.
    const query = questions.length > 0 ? "" : "&microphone=off";
    await page.goto(`${url}/?autostart=1&audio_processing=off${query}`);
    await page.waitForSelector('.connection[data-phase="live"]', { timeout: 30000 });
    await before?.(page);
    const turns = [];
    for (const [n, time] of times.slice(0, turnsExpected).entries()) turns.push(await spokenTurn(page, n, time, timeout));
    if (questions.length === 0) await waitSeen(page, seen);
    for (const text of typed) turns.push(await typedTurn(page, text, timeout));
    const screenshot = artifact(`${name}.png`);
    await page.screenshot({ path: screenshot });
    const facts = (await wire(page, "scene.facts")).at(-1) ?? null;
    const errors = [...page.errors, ...(await wire(page, "error")).map((e) => e.error?.message ?? "error")];
    await after?.(page);
    // Leaves as a user would, so that the server hears of it.
    await page.goto("about:blank");
    return { picture, turns, facts, screenshot, errors };
  } finally {
    await browser.close();
  }
}

/** Waits until perception has said something about the picture, of one of these kinds; a picture of nothing is let through after a while. */
export async function waitSeen(page, kinds = ["objects", "labels", "texts"], timeout = 20000) {
  const seen = (kinds) => window.__wire.some((e) => e.type === "scene.facts" && (e.unusable || kinds.some((kind) => e[kind].length > 0)));
  await page.waitForFunction(seen, kinds, { timeout, polling: 100 }).catch(() => undefined);
}

async function spokenTurn(page, n, time, timeout) {
  const done = await waitWire(page, "response.done", { count: n + 1, timeout: timeout + time.startMs });
  const result = await resultOf(page, done[n].response, time.text, "voice");
  const all = await wire(page);
  const heard = all.filter((e) => e.type === "conversation.item.input_audio_transcription.completed")[n];
  const started = await page.evaluate(() => window.__captureAt ?? null);
  const first = all.find((e) => e.type === "response.output_text.delta" && e.response_id === result.id);
  // The recording starts with the microphone, to within an audio buffer or two.
  const endOfSpeech = started === null ? null : started + time.endMs;
  return { ...result, transcript: heard?.transcript ?? null, heardMs: first && endOfSpeech !== null ? Math.round(first.at - endOfSpeech) : null };
}

async function typedTurn(page, text, timeout) {
  const before = (await wire(page, "response.done")).length;
  await page.fill("#question", text);
  await page.press("#question", "Enter");
  const done = await waitWire(page, "response.done", { count: before + 1, timeout });
  return resultOf(page, done[before].response, text, "typed");
}

async function resultOf(page, response, question, via) {
  // The figures follow the answer.
  await page
    .waitForFunction((id) => window.__wire.some((e) => e.type === "response.latency" && e.response_id === id), response.id, { timeout: 3000 })
    .catch(() => undefined);
  const all = await wire(page);
  const figures = all.find((e) => e.type === "response.latency" && e.response_id === response.id);
  const answer = all.filter((e) => e.type === "response.output_text.delta" && e.response_id === response.id).map((e) => e.delta).join("");
  const latency = figures ? Object.fromEntries(Object.entries(figures).filter(([k]) => k.endsWith("_ms"))) : null;
  return { id: response.id, via, question, answer, status: response.status, latency };
}
