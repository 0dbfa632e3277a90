// SPDX-License-Identifier: MIT OR Apache-2.0
// The whole path: a fake camera and a fake microphone in Chromium, the real server (SIGHTLINE_BIN), real weights.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { findChromium, launch, openPage, waitWire, wire } from "./lib/browser.mjs";
import { artifact, drawPicture, makeClip, photographs } from "./lib/media.mjs";
import { ROOT, metric, serverMissing, startServer } from "./lib/server.mjs";
import { converse, waitSeen } from "./lib/turns.mjs";

const missing = !findChromium() ? "no Chromium" : serverMissing();
if (missing) console.log(`skipped: tests against the server (${missing})`);
const skip = missing ?? false;
/** Two cores carry a server and a browser only slowly. */
const PATIENCE = 120000;

let drawings;
let photos;

before(async () => {
  if (missing) return;
  const browser = await launch();
  drawings = {};
  for (const name of ["hello-42", "red-circle", "dark"]) drawings[name] = await drawPicture(browser, name, artifact(`${name}.png`));
  await browser.close();
  photos = await photographs();
});

/** A page in a call, typing only: camera on, no microphone. */
async function visit(t, url, picture, query = "", init = null) {
  const clip = await makeClip(picture, artifact(`visit-${Math.random().toString(36).slice(2)}.mjpeg`));
  const browser = await launch({ clip });
  t.after(() => browser.close());
  const page = await openPage(browser, { init });
  await page.goto(`${url}/?autostart=1&audio_processing=off&microphone=off${query}`);
  return page;
}

async function live(t, url, picture, init = null) {
  const page = await visit(t, url, picture, "", init);
  await page.waitForSelector('.connection[data-phase="live"]', { timeout: 30000 });
  await waitSeen(page);
  return page;
}

async function ask(page, text) {
  const done = (await wire(page, "response.done")).length;
  await page.fill("#question", text);
  await page.press("#question", "Enter");
  const event = (await waitWire(page, "response.done", { count: done + 1, timeout: PATIENCE }))[done];
  const answer = (await wire(page, "response.output_text.delta")).filter((e) => e.response_id === event.response.id).map((e) => e.delta).join("");
  return { status: event.response.status, answer };
}

async function waitText(page, selector, text, timeout = 20000) {
  await page.waitForFunction(([s, t]) => document.querySelector(s)?.textContent.includes(t), [selector, text], { timeout });
}

/** Waits until every session has ended: a page that says nothing is missed after 5 s, given up after 15 s more, and may come back for 3 s. */
async function empty(url) {
  for (let n = 0; n < 200; n += 1) {
    if ((await metric(url, "sightline_sessions_active")) === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.fail("a session is still there 40 s after its page was closed");
}

describe("questions and answers", { skip, concurrency: false }, () => {
  let server;
  // A page that is closed may come back: its session waits so long for it.
  before(async () => !missing && (server = await startServer({ name: "answers", set: ["server.resume_grace_ms=3000"] })));
  after(async () => server && assert.equal(await server.stop(), 0, "the server ends cleanly"));

  test("a network without UDP gets through over TCP", async (t) => {
    const page = await visit(t, server.url, drawings["hello-42"], "", () => {
      const take = RTCPeerConnection.prototype.setRemoteDescription;
      RTCPeerConnection.prototype.setRemoteDescription = function (answer) {
        const lines = answer.sdp.split("\r\n").filter((line) => !/^a=candidate:\S+ 1 udp /i.test(line));
        window.__candidates = lines.filter((line) => line.startsWith("a=candidate:"));
        return take.call(this, { type: answer.type, sdp: lines.join("\r\n") });
      };
    });
    await page.waitForSelector('.connection[data-phase="live"]', { timeout: 30000 });
    await waitSeen(page);
    const candidates = await page.evaluate(() => window.__candidates);
    assert.ok(candidates.length > 0 && candidates.every((c) => / tcp .* tcptype passive/.test(c)), candidates.join());
    assert.deepEqual(page.errors, []);
  });

  test("reads the text that is held up", async () => {
    const { turns, facts, errors } = await converse({ url: server.url, picture: drawings["hello-42"], typed: ["What does the sign say?"], name: "hello", timeout: PATIENCE, seen: ["texts"] });
    assert.match(turns[0].answer, /hello|42/i);
    assert.ok(facts.texts.some((x) => /HELLO/.test(x.text)), JSON.stringify(facts.texts));
    assert.equal(turns[0].status, "completed");
    assert.ok(turns[0].latency?.total_ms > 0);
    assert.deepEqual(errors, []);
  });

  test("names the colour", async () => {
    const { turns } = await converse({ url: server.url, picture: drawings["red-circle"], typed: ["What colours do you see?"], name: "red", timeout: PATIENCE });
    assert.match(turns[0].answer, /red/i);
  });

  test("hears a spoken question and answers about the photograph", async (t) => {
    if (!photos) return t.skip("no photographs here");
    const units = async () => (await metric(server.url, 'sightline_ingest_units_total{codec="opus"}')) ?? 0;
    let sent;
    const after = async () => {
      const before = await units();
      await new Promise((r) => setTimeout(r, 4000));
      sent = (await units()) - before;
    };
    const { turns, errors } = await converse({ url: server.url, picture: photos.chelsea, questions: ["What do you see?"], name: "cat", timeout: PATIENCE, after });
    assert.match(turns[0].transcript, /what do you see/i);
    // Of silence there would be a hundred in four seconds; the browser is asked to leave it out, and sends two in 400 ms.
    assert.ok(sent > 5 && sent < 50, `${sent} packets of silence in four seconds`);
    assert.match(turns[0].answer, /cat|tabby|kitten/i);
    for (const stage of ["vad_end_ms", "asr_ms", "first_token_ms", "total_ms", "budget_ms"]) assert.ok(turns[0].latency?.[stage] >= 0, stage);
    assert.deepEqual(errors, []);
  });

  test("a question asked while the button is held is the whole turn, and nothing else is", async () => {
    const hold = async (page) => {
      await page.click(".menu > summary");
      await page.check("#talk-push");
      await page.keyboard.press("Escape");
      await page.evaluate(() => document.activeElement.blur());
      // What is said before the button is pressed is nobody's business.
      const until = (ms) => page.waitForFunction((at) => performance.now() - window.__captureAt > at, ms, { polling: 20, timeout: 60000 });
      await until(12600);
      await page.keyboard.down("Space");
      await until(15600);
      await page.keyboard.up("Space");
    };
    const { turns } = await converse({ url: server.url, picture: drawings["red-circle"], questions: ["Tell me a story.", "What colours do you see?"], lead: 7, gap: 6, name: "push", timeout: PATIENCE, before: hold, turnsExpected: 1 });
    assert.equal(turns.length, 1);
    assert.match(turns[0].transcript, /colou?r/i);
    assert.doesNotMatch(turns[0].transcript, /story/i);
    assert.match(turns[0].answer, /red/i);
  });

  test("the stop button ends an answer, and the next question is answered", async (t) => {
    const page = await live(t, server.url, drawings["hello-42"]);
    await page.fill("#question", "Describe everything you can see, in as much detail as possible.");
    await page.press("#question", "Enter");
    await waitWire(page, "response.output_text.delta", { timeout: PATIENCE });
    await page.click("#stop-answer").catch(() => undefined);
    const done = (await waitWire(page, "response.done", { timeout: PATIENCE }))[0].response;
    // A short answer can be over before the click.
    assert.ok(["cancelled", "completed"].includes(done.status), done.status);
    if (done.status === "cancelled") await waitText(page, ".turn-answer .aside", "Stopped");
    assert.equal((await ask(page, "What do you see?")).status, "completed");
  });

  test("a camera that goes away does not end the conversation", async (t) => {
    const page = await live(t, server.url, drawings["red-circle"]);
    await page.evaluate(() => {
      const track = document.querySelector("video").srcObject.getVideoTracks()[0];
      track.stop();
      track.dispatchEvent(new Event("ended"));
    });
    await waitText(page, ".banner", "The camera was disconnected");
    assert.equal((await ask(page, "Are you still there?")).status, "completed");
  });

  test("nothing can be seen in the dark, and the answer does not invent a thing", async (t) => {
    const page = await live(t, server.url, drawings.dark);
    const { answer } = await ask(page, "What do you see?");
    assert.doesNotMatch(answer, /\b(cat|dog|person|car|cup|tree)\b/i);
    assert.ok(await page.isVisible(".chip-none"));
  });

  test("two pages at once, each with its own picture", async (t) => {
    const [one, two] = [await live(t, server.url, drawings["hello-42"]), await live(t, server.url, drawings["red-circle"])];
    const [a, b] = await Promise.all([ask(one, "What does the sign say?"), ask(two, "What colours do you see?")]);
    assert.match(a.answer, /hello|42/i);
    assert.match(b.answer, /red/i);
  });

  test("of the temporal layers that the page sends no more pictures are decoded than are looked at", async (t) => {
    await live(t, server.url, drawings["hello-42"]);
    const counts = () => Promise.all(["ingest_units", "decode_out"].map(async (name) => (await metric(server.url, `sightline_${name}_total{codec="vp8"}`)) ?? 0));
    await new Promise((r) => setTimeout(r, 5000));
    const before = await counts();
    await new Promise((r) => setTimeout(r, 4000));
    const [sent, decoded] = (await counts()).map((n, i) => n - before[i]);
    // Of 25 a second and more the base layer alone, a quarter; of fewer half.
    const most = (sent > 100 ? 0.4 : 0.6) * sent;
    assert.ok(sent > 40 && decoded > 15 && decoded < most, `${decoded} of ${sent} in four seconds`);
  });

  test("every session is gone once its page is", async () => {
    await empty(server.url);
  });
});

const voice = join(process.env.SIGHTLINE_MODELS ?? join(ROOT, "models"), "kokoro-82m", "model.onnx");
const silent = existsSync(voice) ? skip : "no voice is installed: sightline models pull kokoro-82m";
if (silent && !skip) console.log(`skipped: spoken answers (${silent})`);

describe("spoken answers", { skip: silent, concurrency: false }, () => {
  test("are heard, and read as they are heard", async (t) => {
    const server = await startServer({ name: "spoken", set: ["dialogue.voice_wait_ms=200000"] });
    t.after(() => server.stop());
    const page = await live(t, server.url, drawings["red-circle"]);
    await page.click(".menu > summary");
    await page.check("#spoken");
    await page.keyboard.press("Escape");
    await page.fill("#question", "What colours do you see?");
    await page.press("#question", "Enter");
    await waitWire(page, "output_audio_buffer.started", { timeout: PATIENCE });
    await page.waitForFunction(() => Number(getComputedStyle(document.querySelector(".sounding .meter")).getPropertyValue("--level")) > 0.1, null, { timeout: 20000, polling: 20 });
    await waitWire(page, "output_audio_buffer.stopped", { timeout: PATIENCE });
    assert.match(await page.textContent(".caption-answer"), /red/i);
    assert.equal((await wire(page, "response.output_audio.delta")).length, 0);
    const done = (await wire(page, "response.done"))[0].response;
    assert.match(done.output[0].content[0].transcript, /red/i);
    assert.deepEqual(page.errors, []);
  });
});

describe("when something is in the way", { skip, concurrency: false }, () => {
  test("a full server says so and lets the next one in when there is room", async (t) => {
    const server = await startServer({ name: "full", set: ["server.max_sessions=1"] });
    t.after(() => server.stop());
    const first = await live(t, server.url, drawings.dark);
    const second = await visit(t, server.url, drawings.dark);
    await waitText(second, ".banner", "The server is full");
    await first.click("#end");
    await second.waitForSelector('.connection[data-phase="live"]', { timeout: 30000 });
  });

  test("a server that is killed is noticed, and the page comes back with it", async (t) => {
    const server = await startServer({ name: "killed" });
    const page = await live(t, server.url, drawings.dark);
    await server.kill();
    await waitText(page, ".banner", "The server cannot be reached", 30000);
    const again = await startServer({ name: "again", port: server.port });
    t.after(() => again.stop());
    // By now it may wait, have given up, or be on its way.
    await page.click("#retry, #start", { timeout: 2000 }).catch(() => undefined);
    await page.waitForSelector('.connection[data-phase="live"]', { timeout: 30000 });
  });

  test("a bad offer is refused with words, and harms nobody", async (t) => {
    const server = await startServer({ name: "bad" });
    t.after(() => server.stop());
    for (const [body, type] of [["", "application/sdp"], ["not sdp", "application/sdp"], ["v=0\r\n".repeat(40000), "application/sdp"], ["{}", "application/json"]]) {
      const response = await fetch(`${server.url}/v1/realtime/calls`, { method: "POST", body, headers: { "Content-Type": type } });
      assert.ok(response.status >= 400 && response.status < 500, `${response.status} for ${JSON.stringify(body.slice(0, 20))}`);
      assert.ok((await response.json()).error.message.length > 10);
    }
    const page = await live(t, server.url, drawings.dark);
    assert.equal(page.errors.length, 0);
  });
});

describe("when the line breaks", { skip, concurrency: false }, () => {
  /** Every peer connection of the page, so that a test can break the newest as a network would. */
  const note = () => {
    window.__peers = [];
    window.RTCPeerConnection = class extends RTCPeerConnection {
      constructor(...args) {
        super(...args);
        window.__peers.push(this);
      }
    };
  };
  const snap = (page) => page.evaluate(() => {
    const peer = window.__peers.at(-1);
    const told = peer.onconnectionstatechange;
    peer.close();
    Object.defineProperty(peer, "connectionState", { get: () => "failed" });
    told?.call(peer);
  });

  test("the page comes back to the same conversation, which still sees", async (t) => {
    const server = await startServer({ name: "line" });
    t.after(() => server.stop());
    const page = await live(t, server.url, drawings["hello-42"], note);
    await ask(page, "The code word is swordfish.");
    await snap(page);
    await waitWire(page, "session.resumed");
    await page.waitForFunction(() => [...document.querySelectorAll(".turn")].some((x) => /The conversation goes on/.test(x.textContent)));
    assert.equal((await wire(page, "session.created")).length, 1);
    assert.match((await ask(page, "What did I tell you about the code word?")).answer, /swordfish/i);
    await waitSeen(page);
    assert.match((await ask(page, "What does the sign say?")).answer, /hello|42/i);
    assert.equal(await metric(server.url, "sightline_sessions_total"), 1);
  });

  test("with an archive it comes back even when the server was killed", async (t) => {
    const set = [`archive.dir=${artifact(`archive-${process.pid}`)}`];
    const server = await startServer({ name: "line-killed", set });
    const page = await live(t, server.url, drawings.dark, note);
    await ask(page, "The code word is swordfish.");
    await new Promise((resolve) => setTimeout(resolve, 2500));
    await server.kill();
    const again = await startServer({ name: "line-again", port: server.port, set });
    t.after(() => again.stop());
    await page.click("#retry", { timeout: 2000 }).catch(() => undefined);
    await waitWire(page, "session.resumed", { timeout: 60000 });
    await page.waitForSelector('.connection[data-phase="live"]', { timeout: 30000 });
    assert.equal((await wire(page, "session.created")).length, 1);
    assert.match((await ask(page, "What did I tell you about the code word?")).answer, /swordfish/i);
  });
});
