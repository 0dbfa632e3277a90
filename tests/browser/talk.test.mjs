// SPDX-License-Identifier: MIT OR Apache-2.0
// How a turn is taken and how answers are heard and read: the page alone, against a peer connection that the test plays.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { emit, idle, live, missing, sent, settle, site, textOf, visible, waitText } from "./lib/live.mjs";

const T = "conversation.item.input_audio_transcription";
const openMenu = (page) => page.click(".menu > summary");
const types = async (page) => (await sent(page)).map((e) => e.type);
const micOn = (page) => page.evaluate(() => window.mock.transceivers.find((t) => t.kind === "audio").sender.track.enabled);
/** Chooses the button to hold, and forgets that this was sent. */
async function push(page) {
  await openMenu(page);
  await page.check("#talk-push");
  await page.keyboard.press("Escape");
  await page.evaluate(() => document.activeElement.blur());
  await page.waitForSelector("#talk:visible");
  const [update] = await sent(page);
  await page.evaluate(() => window.mock.sent.splice(0));
  return update;
}

describe("push to talk", { skip: missing ?? false, concurrency: false }, () => {
  test("the microphone is open only while the space bar is held, then the question is asked", async (t) => {
    const page = await live(t);
    assert.deepEqual(await push(page), { type: "session.update", session: { audio: { input: { turn_detection: null } } } });
    assert.equal(await micOn(page), false);
    assert.equal(await visible(page, "#mic"), false);
    await page.keyboard.down("Space");
    await waitText(page, "#talk", "Listening");
    assert.equal(await micOn(page), true);
    assert.equal(await page.getAttribute("#talk", "aria-pressed"), "true");
    await page.waitForTimeout(400);
    await page.keyboard.up("Space");
    await page.waitForFunction(() => window.mock.sent.length === 3);
    assert.deepEqual(await types(page), ["input_audio_buffer.clear", "input_audio_buffer.commit", "response.create"]);
    assert.equal(await micOn(page), false);
    await waitText(page, "#talk", "Hold to talk");
  });

  test("the button does the same for a finger, and stops the answer that is being given", async (t) => {
    const page = await live(t, "", { viewport: { width: 360, height: 640 }, touch: true });
    await push(page);
    await emit(page, { type: "response.created", response: { id: "r1", status: "in_progress" } });
    await settle(page);
    const box = await (await page.$("#talk")).boundingBox();
    assert.ok(box.width >= 90 && box.height >= 42, JSON.stringify(box));
    await page.mouse.move(box.x + 20, box.y + 20);
    await page.mouse.down();
    await page.waitForTimeout(400);
    // A finger slides off the button: it still counts as held.
    await page.mouse.move(box.x + 20, box.y - 100);
    assert.equal(await micOn(page), true);
    await page.mouse.up();
    await page.waitForFunction(() => window.mock.sent.length === 5);
    assert.deepEqual(await types(page), ["response.cancel", "output_audio_buffer.clear", "input_audio_buffer.clear", "input_audio_buffer.commit", "response.create"]);
  });

  test("a space in the question is a space, and on another button a press", async (t) => {
    const page = await live(t);
    await push(page);
    await page.focus("#question");
    await page.keyboard.type("what is");
    assert.equal(await page.inputValue("#question"), "what is");
    await page.focus("#mirror");
    await page.keyboard.press("Space");
    await settle(page);
    assert.equal(await page.getAttribute("#mirror", "aria-pressed"), "true");
    assert.deepEqual(await types(page), ["input_text.typing"]);
    // With the button itself in focus it works, too.
    await page.focus("#talk");
    await page.keyboard.press("Space", { delay: 400 });
    await page.waitForFunction(() => window.mock.sent.length === 4);
  });

  test("a slip asks nothing; a page that is left lets go", async (t) => {
    const page = await live(t);
    await push(page);
    await page.keyboard.press("Space");
    await page.waitForTimeout(500);
    assert.deepEqual(await types(page), ["input_audio_buffer.clear", "input_audio_buffer.clear"]);
    await page.keyboard.down("Space");
    await page.waitForTimeout(400);
    await page.evaluate(() => window.dispatchEvent(new Event("blur")));
    await page.waitForFunction(() => window.mock.sent.length === 5);
    assert.equal(await micOn(page), false);
  });

  test("is remembered, told to each new conversation, and given up again", async (t) => {
    const page = await live(t);
    await push(page);
    await page.reload();
    await page.waitForSelector("#talk:visible");
    await page.waitForFunction(() => window.mock.sent.length === 1);
    assert.equal((await sent(page))[0].session.audio.input.turn_detection, null);
    assert.equal(await micOn(page), false);
    await openMenu(page);
    await page.check("#talk-open");
    await page.waitForSelector("#mic:visible");
    assert.equal(await micOn(page), true);
    assert.equal((await sent(page))[1].session.audio.input.turn_detection.type, "semantic_vad");
  });
});

describe("captions", { skip: missing ?? false, concurrency: false }, () => {
  test("both sides stand over the picture as they are said, and go", async (t) => {
    const page = await live(t);
    assert.equal(await visible(page, ".captions"), false);
    await emit(page, { type: "input_audio_buffer.speech_started", item_id: "i1", audio_start_ms: 0 }, { type: `${T}.delta`, item_id: "i1", delta: "What do " });
    await waitText(page, ".caption-you", "What do");
    await waitText(page, ".turn-user", "What do");
    await emit(page, { type: `${T}.delta`, item_id: "i1", delta: "you see" }, { type: `${T}.completed`, item_id: "i1", transcript: "What do you see?" });
    await waitText(page, ".caption-you", "What do you see?");
    await emit(page, { type: "response.created", response: { id: "r1", status: "in_progress" } }, { type: "response.output_text.delta", response_id: "r1", item_id: "a", delta: "A red cup." }, { type: "response.done", response: { id: "r1", status: "completed" } });
    await waitText(page, ".caption-answer", "A red cup.");
    await page.waitForSelector(".captions", { state: "hidden", timeout: 10000 });
  });

  test("the words of a spoken answer come as they are heard", async (t) => {
    const page = await live(t);
    const words = ["A", "red", "cup."].map((text, n) => ({ text, start_ms: n * 400, end_ms: n * 400 + 300 }));
    await emit(page,
      { type: "response.created", response: { id: "r1", status: "in_progress" } },
      { type: "response.output_audio_transcript.delta", response_id: "r1", item_id: "a", output_index: 0, content_index: 0, delta: "A red cup." },
      { type: "response.output_audio.words", response_id: "r1", item_id: "a", words },
      { type: "output_audio_buffer.started", response_id: "r1" });
    await settle(page);
    assert.equal(await textOf(page, ".caption-answer"), "A");
    await waitText(page, ".caption-answer", "A red cup.");
  });

  test("can be switched off, for good", async (t) => {
    const page = await live(t);
    await openMenu(page);
    await page.uncheck("#captions");
    await emit(page, { type: `${T}.delta`, item_id: "i1", delta: "Hello" });
    await settle(page);
    assert.equal(await visible(page, ".captions"), false);
    await page.reload();
    await page.waitForSelector('.connection[data-phase="live"]');
    await emit(page, { type: `${T}.delta`, item_id: "i1", delta: "Hello" });
    await settle(page);
    assert.equal(await visible(page, ".captions"), false);
  });
});

describe("spoken answers", { skip: missing ?? false, concurrency: false }, () => {
  const created = (voice) => ({ type: "session.created", session: { id: "sess_mock", audio: { output: { voice } } } });

  test("are offered only by a server that has a voice", async (t) => {
    const page = await live(t);
    await openMenu(page);
    assert.equal(await visible(page, "#spoken"), false);
    await emit(page, created("none"));
    assert.equal(await visible(page, "#spoken"), false);
    await emit(page, created("amy"));
    assert.equal(await visible(page, "#spoken"), true);
    await page.check("#spoken");
    assert.deepEqual((await sent(page)).at(-1), { type: "session.update", session: { output_modalities: ["audio"] } });
    assert.equal(await visible(page, "#choose-speaker"), true);
  });

  test("are played, and their loudness is shown", async (t) => {
    const page = await live(t);
    await emit(page, created("amy"));
    await openMenu(page);
    await page.check("#spoken");
    assert.equal(await visible(page, ".sounding"), false);
    await page.evaluate(() => window.mock.sound());
    await page.waitForSelector(".sounding:visible");
    await page.waitForFunction(() => Number(getComputedStyle(document.querySelector(".sounding .meter")).getPropertyValue("--level")) > 0.2);
  });
});

describe("devices that come and go", { skip: missing ?? false, concurrency: false }, () => {
  test("a microphone that was unplugged is taken up again when one is there", async (t) => {
    const page = await live(t);
    await page.evaluate(() => {
      const track = document.querySelector("video").srcObject.getAudioTracks()[0];
      track.stop();
      track.dispatchEvent(new Event("ended"));
    });
    await waitText(page, ".banner", "The microphone was disconnected");
    await page.evaluate(() => navigator.mediaDevices.dispatchEvent(new Event("devicechange")));
    await page.waitForFunction(() => window.mock.transceivers[0].sender.track?.readyState === "live");
    await page.waitForSelector(".banner", { state: "hidden" });
    assert.equal(site.state.calls.length, 1);
  });

  test("the open menu follows what is plugged in", async (t) => {
    const page = await live(t);
    await openMenu(page);
    await page.waitForFunction(() => document.querySelectorAll("#choose-camera option").length > 0);
    await page.evaluate(() => {
      navigator.mediaDevices.enumerateDevices = async () => [{ kind: "videoinput", deviceId: "x", label: "New camera" }];
      navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
    });
    await waitText(page, "#choose-camera", "New camera");
    assert.match(await textOf(page, "#choose-microphone"), /none found/);
  });
});

describe("a server that asks for a key", { skip: missing ?? false, concurrency: false }, () => {
  test("gets it from the user", async (t) => {
    const page = await idle(t);
    site.state.reply = (n) => (n === 1 ? [401, {}, '{"error":{"message":"a valid key is needed"}}'] : []);
    await page.click("#start");
    await waitText(page, ".panel", "The server asks for a key");
    await page.fill("#key", "k1");
    await page.press("#key", "Enter");
    await page.waitForSelector('.connection[data-phase="live"]');
    assert.deepEqual(site.state.calls.map((c) => c.key), [undefined, "Bearer k1"]);
  });
});
