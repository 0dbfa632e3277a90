// SPDX-License-Identifier: MIT OR Apache-2.0
// The page alone, in Chromium, against a peer connection that the test plays. No server, no models.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { launch } from "./lib/browser.mjs";
import { emit, idle, live, missing, sent, settle, site, textOf, turns, visible, waitText } from "./lib/live.mjs";

describe("the page", { skip: missing ?? false, concurrency: false }, () => {
  test("starts on the button, offers both tracks with VP8 first, and ends cleanly", async (t) => {
    const page = await idle(t);
    await page.click("#start");
    await page.waitForSelector('.connection[data-phase="live"]');
    const call = site.state.calls[0];
    assert.equal(call.type, "application/sdp");
    assert.match(call.body, /^v=0/);
    assert.equal(call.query, "?ext=latency,scene,video,memory,captions,resume");
    const media = await page.evaluate(() => ({ kinds: window.mock.transceivers.map((x) => `${x.kind} ${x.direction}`), first: window.mock.codecs[0], label: window.mock.peer.channel.label }));
    assert.deepEqual(media, { kinds: ["audio sendrecv", "video sendonly"], first: "video/VP8", label: "oai-events" });
    await page.waitForFunction(() => document.querySelector("video").videoWidth === 640);
    await page.click("#end");
    await waitText(page, ".panel-title", "Conversation ended");
    assert.deepEqual(site.state.ended, [{ method: "DELETE", path: "/v1/realtime/calls/rtc_mock1" }]);
    assert.equal(await page.evaluate(() => document.querySelector("video").srcObject), null);
    assert.deepEqual(page.errors, []);
  });

  test("shows both sides of a spoken turn, token by token", async (t) => {
    const page = await live(t);
    await emit(page, { type: "input_audio_buffer.speech_started", item_id: "i1", audio_start_ms: 0 });
    await waitText(page, ".turn-user", "Listening");
    assert.ok(await visible(page, ".hearing"));
    await emit(page,
      { type: "input_audio_buffer.speech_stopped", item_id: "i1", audio_end_ms: 900 },
      { type: "conversation.item.input_audio_transcription.completed", item_id: "i1", transcript: "What do you see?" },
      { type: "response.created", response: { id: "r1", status: "in_progress" } },
      { type: "response.output_text.delta", response_id: "r1", item_id: "a", delta: "A red " });
    await waitText(page, ".turn-answer", "A red");
    assert.ok(await visible(page, "#stop-answer"));
    await emit(page,
      { type: "response.output_text.delta", response_id: "r1", item_id: "a", delta: "mug." },
      { type: "response.latency", response_id: "r1", vad_end_ms: 280, asr_ms: 190, prefill_ms: 90, first_token_ms: 40, total_ms: 640, budget_ms: 1000 },
      { type: "response.done", response: { id: "r1", status: "completed" } });
    await waitText(page, ".latency-total", "640 ms");
    await settle(page);
    assert.deepEqual(await turns(page), [
      { state: "final", text: "What do you see?", aside: "" },
      { state: "done", text: "A red mug.", aside: "first word after 640 ms" },
    ]);
    assert.equal(await textOf(page, '[aria-live="polite"]'), "A red mug.");
    assert.equal(await visible(page, "#stop-answer"), false);
  });

  test("sends typed questions, and stops one answer before it asks the next", async (t) => {
    const page = await live(t);
    await page.fill("#question", "what is it?");
    await page.press("#question", "Enter");
    assert.deepEqual((await sent(page)).map((e) => e.type), ["input_text.typing", "conversation.item.create", "response.create"]);
    await emit(page, { type: "response.created", response: { id: "r1", status: "in_progress" } });
    await page.waitForSelector("#stop-answer:visible");
    await page.click(".example");
    assert.deepEqual((await sent(page)).map((e) => e.type).slice(3), ["input_text.typing", "response.cancel"]);
    await emit(page, { type: "response.done", response: { id: "r1", status: "cancelled", status_details: { reason: "client_cancelled" } } });
    await page.waitForFunction(() => window.mock.sent.length === 7);
    assert.equal((await sent(page))[5].item.content[0].text, "What do you see?");
    assert.match((await turns(page))[1].aside, /Stopped/);
  });

  test("the stop button cancels the answer", async (t) => {
    const page = await live(t);
    await emit(page, { type: "response.created", response: { id: "r1", status: "in_progress" } });
    await page.click("#stop-answer");
    assert.deepEqual((await sent(page)).map((e) => e.type), ["response.cancel"]);
  });

  test("draws what is seen over the picture, follows a thing, and flips with the mirror", async (t) => {
    const page = await live(t);
    const facts = (x) => ({ type: "scene.facts", at_ms: 1, objects: [{ track: 7, label: "cup", confidence: 0.9, box: [x, 0.25, x + 0.25, 0.75], colour: "red" }], labels: [{ label: "coffee mug", confidence: 0.8 }], texts: [{ text: "HELLO 42", confidence: 0.9, box: [0.5, 0.5, 0.9, 0.6] }], colours: ["red"] });
    await emit(page, facts(0));
    await page.waitForSelector(".mark-object");
    const left = () => page.$eval(".mark-object", (m) => Number.parseFloat(m.style.left));
    assert.equal(await left(), 0);
    await page.$eval(".mark-object", (m) => (m.dataset.same = "yes"));
    await emit(page, facts(0.25));
    await settle(page);
    assert.equal(await left(), 25);
    assert.equal(await page.$eval(".mark-object", (m) => m.dataset.same), "yes");
    await page.click("#mirror");
    await settle(page);
    assert.equal(await left(), 50);
    assert.deepEqual(await page.$$eval(".chip", (all) => all.map((c) => c.textContent)), ["coffee mug", "“HELLO 42”", "red"]);
    await page.click("#boxes");
    await settle(page);
    assert.equal(await page.$$eval(".mark", (all) => all.length), 0);
  });

  test("a camera that is unplugged is noticed, and the conversation goes on", async (t) => {
    const page = await live(t);
    await page.evaluate(() => {
      const track = document.querySelector("video").srcObject.getVideoTracks()[0];
      track.stop();
      track.dispatchEvent(new Event("ended"));
    });
    await waitText(page, ".banner", "The camera was disconnected");
    assert.equal(await page.evaluate(() => window.mock.transceivers[1].sender.track), null);
    await page.fill("#question", "still there?");
    await page.press("#question", "Enter");
    assert.equal((await sent(page)).length, 3);
    await page.click("#camera");
    await page.waitForFunction(() => window.mock.transceivers[1].sender.track?.readyState === "live");
    await settle(page);
    assert.equal(await visible(page, ".banner"), false);
    assert.equal(site.state.calls.length, 1);
  });

  test("camera off releases the camera and sends black; mute sends silence", async (t) => {
    const page = await live(t);
    await page.evaluate(() => (window.first = document.querySelector("video").srcObject.getVideoTracks()[0]));
    await page.click("#camera");
    await page.waitForFunction(() => window.first.readyState === "ended");
    assert.equal(await page.evaluate(() => window.mock.transceivers[1].sender.track.readyState), "live");
    assert.ok(await visible(page, ".blank"));
    await page.click("#mic");
    assert.equal(await page.evaluate(() => window.mock.transceivers[0].sender.track.enabled), false);
    await page.click("#camera");
    await page.click("#mic");
    await page.waitForSelector(".picture:visible");
    assert.equal(await page.evaluate(() => window.mock.transceivers[0].sender.track.enabled), true);
  });

  test("works with one device, and a new call adds the other", async (t) => {
    const page = await live(t, "&camera=off");
    assert.deepEqual(await page.evaluate(() => window.mock.transceivers.map((x) => x.kind)), ["audio"]);
    assert.match(await textOf(page, ".blank"), /nothing is seen/);
    await page.click("#camera");
    await page.waitForFunction(() => window.mock.peers.length === 2);
    await page.waitForSelector('.connection[data-phase="live"]');
    assert.deepEqual(await page.evaluate(() => window.mock.transceivers.slice(1).map((x) => x.kind)), ["audio", "video"]);
    assert.equal(site.state.ended.length, 1);
  });

  test("a full server is shown with the time of the next try, which then works", async (t) => {
    const page = await idle(t);
    site.state.reply = (n) => (n === 1 ? [429, { "Retry-After": "2" }, '{"error":{"message":"full"}}'] : []);
    await page.click("#start");
    await waitText(page, ".banner", "The server is full");
    assert.match(await textOf(page, ".connection"), /retry in [12] s/);
    await page.waitForSelector('.connection[data-phase="live"]');
    assert.equal(site.state.calls.length, 2);
  });

  test("what the server refuses is shown with its words and not repeated", async (t) => {
    const page = await idle(t);
    site.state.reply = () => [400, {}, '{"error":{"message":"the offer has no audio and no video"}}'];
    await page.click("#start");
    await waitText(page, ".panel", "the offer has no audio and no video");
    assert.equal(site.state.calls.length, 1);
  });

  test("a server that dies is noticed, and the page comes back when it does", async (t) => {
    const page = await live(t);
    await emit(page, { type: "response.created", response: { id: "r1", status: "in_progress" } });
    site.state.alive = false;
    site.state.reply = () => [502, {}, ""];
    await page.evaluate(() => window.mock.state("disconnected"));
    await waitText(page, ".banner", "The server cannot be reached");
    assert.match((await turns(page))[0].aside, /cut off by the connection/);
    Object.assign(site.state, { alive: true, reply: null });
    // The next attempt can come before the click does.
    await page.click("#retry", { timeout: 1000 }).catch(() => undefined);
    await page.waitForSelector('.connection[data-phase="live"]');
    assert.match((await turns(page)).at(-1).text, /Connected again/);
  });

  test("a connection that recovers by itself is left alone", async (t) => {
    const page = await live(t);
    await page.evaluate(() => window.mock.state("disconnected"));
    await waitText(page, ".connection", "Interrupted");
    await page.evaluate(() => window.mock.state("connected"));
    await waitText(page, ".connection", "Live");
    assert.equal(site.state.calls.length, 1);
  });

  test("a route that cannot be found is named", async (t) => {
    const page = await idle(t);
    await page.evaluate(() => (window.mock.mute = true));
    await page.click("#start");
    await page.waitForFunction(() => window.mock.peer?.localDescription && window.mock.peers.length === 1);
    await page.waitForTimeout(200);
    await page.evaluate(() => window.mock.state("failed"));
    await waitText(page, ".banner", "No path for audio and video");
    assert.equal(site.state.ended.length, 1);
  });

  test("leaving the page ends the call", async (t) => {
    const page = await live(t);
    await page.goto("about:blank");
    for (let n = 0; n < 50 && site.state.ended.length === 0; n += 1) await page.waitForTimeout(20);
    assert.deepEqual(site.state.ended, [{ method: "POST", path: "/v1/realtime/calls/rtc_mock1/hangup" }]);
  });

  test("messages that are not events, and errors of the server, do not break it", async (t) => {
    const page = await live(t);
    await page.evaluate(() => ["", "no", "[]", '{"type":"scene.facts"}', '{"type":"new.thing"}'].forEach((text) => window.mock.raw(text)));
    await emit(page, { type: "error", error: { type: "invalid_request_error", code: "response_cancel_not_active", message: "late" } });
    await emit(page, { type: "error", error: { type: "server_error", message: "the model stumbled" } });
    await waitText(page, ".turns", "the model stumbled");
    assert.equal((await turns(page)).length, 1);
    assert.deepEqual(page.errors, []);
  });

  test("can be used with the keyboard alone", async (t) => {
    const page = await idle(t);
    const focused = () => page.evaluate(() => document.activeElement?.id);
    for (let n = 0; n < 6 && (await focused()) !== "start"; n += 1) await page.keyboard.press("Tab");
    assert.equal(await focused(), "start");
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none");
    await page.keyboard.press("Enter");
    await page.waitForSelector('.connection[data-phase="live"]');
    const unnamed = await page.$$eval("button, input, select, summary", (all) => all.filter((e) => !e.getAttribute("aria-label") && !e.textContent.trim() && !e.labels?.length).map((e) => e.outerHTML));
    assert.deepEqual(unnamed, []);
  });

  test("nothing runs out of the window, from phone to desk", async (t) => {
    for (const viewport of [{ width: 320, height: 640 }, { width: 390, height: 844 }, { width: 844, height: 390 }, { width: 1024, height: 768 }, { width: 1920, height: 1080 }]) {
      const page = await live(t, "", { viewport });
      await emit(page, { type: "response.created", response: { id: "r1", status: "in_progress" } });
      await settle(page);
      const out = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(out <= 0, `${viewport.width}: ${out} px too wide`);
      const box = await (await page.$("#send")).boundingBox();
      assert.ok(box.x + box.width <= viewport.width && box.width >= 32, `${viewport.width}: the button is out of reach`);
      await page.context().close();
    }
  });
});

describe("without access to devices", { skip: missing ?? false, concurrency: false }, () => {
  test("a refusal is explained, and can be tried again", async (t) => {
    const refusing = await launch({ allow: false });
    t.after(() => refusing.close());
    const page = await idle(t, "", { browser: refusing });
    await page.click("#start");
    await waitText(page, ".panel", "The browser may not use the camera or microphone");
    assert.equal(await textOf(page, "#start"), "Try again");
    assert.equal(site.state.calls.length, 0);
  });

  test("a machine with neither camera nor microphone is told so", async (t) => {
    const bare = await launch({ noDevices: true });
    t.after(() => bare.close());
    const page = await idle(t, "", { browser: bare });
    await page.click("#start");
    await waitText(page, ".panel", "Neither camera nor microphone found");
  });
});
