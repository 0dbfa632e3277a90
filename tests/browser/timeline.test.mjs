// SPDX-License-Identifier: MIT OR Apache-2.0
// The timeline of memory on the page, in Chromium, with a memory that the test makes up. No server, no models.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { emit, live, missing, sent, settle, site, textOf, visible, waitText } from "./lib/live.mjs";
import { TOKEN, event as remembered, root, tiers, timeline } from "./mock/memory.mjs";

/** Events of memory that are drawn, in the order of time. */
const blocks = (page) => page.$$eval(".event:not(.ghost)", (all) => all.map((b) => ({ ids: b.dataset.events.split(" "), x: b.getBoundingClientRect().x })).sort((a, b) => a.x - b.x).flatMap((b) => b.ids));
const updated = (all, more) => ({ type: "memory.updated", now_ms: all.now_ms + 1000, tiers: tiers(all.events), changed: [], removed: [], merged: [], ...more });
const cites = (id, ...events) => ({ type: "response.memory", response_id: id, route: "past", interval: null, seen: true, citations: events.map((e) => ({ event_id: e.id, start_ms: e.start_ms, end_ms: e.end_ms, keyframes: [e.keyframes[0].id], similarity: 0.3 })) });

describe("the timeline of memory", { skip: missing ?? false, concurrency: false }, () => {
  test("is drawn with pictures, captions and what the tiers hold; only what is in view is loaded", async (t) => {
    const page = await live(t);
    assert.equal(await visible(page, ".memory"), false);
    await emit(page, timeline({ events: 0 }));
    await page.waitForSelector(".memory-empty:visible");
    assert.equal(await textOf(page, ".memory-empty"), "Nothing remembered yet");
    await emit(page, timeline({ events: 200 }));
    await page.waitForSelector('.event img[data-state="ready"]');
    await page.waitForFunction(() => [...document.querySelectorAll(".event img")].every((i) => i.dataset.state === "ready" && i.naturalWidth > 0));
    const shown = await blocks(page);
    assert.ok(shown.length > 4 && shown.length < 40, `${shown.length} blocks`);
    assert.equal(shown.at(-1), "ev_200");
    assert.ok(site.state.pictures.length < 120, `${site.state.pictures.length} pictures loaded`);
    assert.equal(new Set(site.state.pictures).size, site.state.pictures.length);
    assert.match(await textOf(page, '.tier[data-tier="live"]'), /48 kB/);
    assert.equal(await visible(page, ".memory-empty"), false);
    await page.click("#memory-fit");
    await page.waitForFunction(() => document.querySelector('.event[data-events~="ev_1"]'));
    assert.deepEqual(page.errors, []);
  });

  test("an update adds, a merge slides two into one, and the bytes follow", async (t) => {
    const page = await live(t);
    const all = timeline({ events: 6 });
    await emit(page, all);
    await page.waitForSelector(".event");
    const [closed, open] = [{ ...all.events[5], tier: "episodic" }, remembered(7, all.now_ms, all.now_ms + 1000, { tier: "open" })];
    await emit(page, updated(all, { changed: [closed, open], tiers: { ...tiers(all.events), live: { items: 4, capacity: 4, bytes: 2.5e6 } } }));
    await waitText(page, '.tier[data-tier="live"]', "2.5 MB");
    await page.waitForSelector('[data-events="ev_7"]');
    assert.deepEqual(await blocks(page), ["ev_1", "ev_2", "ev_3", "ev_4", "ev_5", "ev_6", "ev_7"]);
    const [a, b] = all.events;
    await emit(page, updated(all, { changed: [root(900, a.start_ms, b.end_ms, 2, 1)], removed: [a.id, b.id], merged: [{ into: "ev_900", from: [a.id, b.id] }] }));
    await page.waitForSelector(".event.ghost");
    assert.equal(await page.$$eval(".event.ghost", (g) => g.length), 2);
    await page.waitForFunction(() => document.querySelectorAll(".event.ghost").length === 0);
    assert.deepEqual(await blocks(page), ["ev_900", "ev_3", "ev_4", "ev_5", "ev_6", "ev_7"]);
    assert.equal(await page.getAttribute('[data-events="ev_900"]', "data-depth"), "1");
  });

  test("nothing slides for those who want less motion", async (t) => {
    const page = await live(t);
    await page.emulateMedia({ reducedMotion: "reduce" });
    const all = timeline({ events: 6 });
    const [a, b] = all.events;
    await emit(page, all);
    await page.waitForSelector(".event");
    await emit(page, updated(all, { changed: [root(900, a.start_ms, b.end_ms, 2, 1)], removed: [a.id, b.id], merged: [{ into: "ev_900", from: [a.id, b.id] }] }));
    await page.waitForSelector('[data-events="ev_900"]');
    assert.equal(await page.$$eval(".event", (g) => g.length), 5);
  });

  test("an answer marks what it stands on, and its chip opens the card", async (t) => {
    const page = await live(t);
    const all = timeline({ roots: 3, events: 60 });
    const cited = all.events[12];
    await emit(page, all, { type: "response.created", response: { id: "r1", status: "in_progress" } }, cites("r1", cited), { type: "response.output_text.delta", response_id: "r1", item_id: "a", delta: "Yes." }, { type: "response.done", response: { id: "r1", status: "completed" } });
    await page.waitForFunction((id) => document.querySelector(`.event.cited[data-events="${id}"]`)?.getBoundingClientRect().x > 0, cited.id);
    assert.match(await textOf(page, ".cite"), /^\[00:\d\d:\d\d–00:\d\d:\d\d\]$/);
    await page.click(".cite");
    await page.waitForSelector(".memory-card[open]");
    assert.match(await textOf(page, ".memory-card"), new RegExp(cited.caption.split(";")[0]));
    await page.waitForFunction(() => document.querySelector(".card-picture").naturalWidth > 0);
    await page.keyboard.press("Escape");
    assert.equal(await visible(page, ".memory-card"), false);
    await emit(page, updated(all, { removed: [cited.id] }));
    await page.waitForFunction(() => document.querySelector(".cite").disabled);
    assert.equal(await page.$eval(".cite img", (i) => i.hidden), true);
  });

  test("can be walked, zoomed and opened by keyboard, and dragged", async (t) => {
    const page = await live(t);
    await emit(page, timeline({ roots: 2, events: 40 }));
    await page.waitForSelector(".event");
    await page.focus(".strip");
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(() => document.querySelector(".event.selected")?.dataset.events === "ev_10001");
    assert.equal(await page.evaluate(() => document.getElementById(document.querySelector(".strip").getAttribute("aria-activedescendant")).dataset.events), "ev_10001");
    await page.waitForTimeout(400);
    await page.keyboard.press("Enter");
    await page.waitForSelector('.memory-card[open][data-tier="long_term"]');
    assert.equal(await page.$$eval(".card-part", (all) => all.length), 8);
    await page.click(".card-close");
    const width = () => page.$eval('[data-events="ev_10001"]', (b) => b.getBoundingClientRect().width);
    const before = await width();
    await page.focus(".strip");
    await page.keyboard.press("+");
    await page.waitForTimeout(400);
    assert.ok((await width()) > before * 1.4);
    await page.keyboard.press("n");
    await page.waitForSelector('#memory-now[aria-pressed="true"]');
    await page.waitForTimeout(400);
    const strip = await (await page.$(".strip")).boundingBox();
    await page.mouse.move(strip.x + 300, strip.y + 60);
    await page.mouse.down();
    await page.mouse.move(strip.x + 700, strip.y + 60, { steps: 8 });
    await page.mouse.up();
    await page.waitForSelector('#memory-now[aria-pressed="false"]');
    assert.equal(await visible(page, ".memory-card"), false);
  });

  test("forgets after a second word, and what was loaded goes as well", async (t) => {
    const page = await live(t);
    const all = timeline({ events: 5 });
    await emit(page, all);
    await page.waitForSelector('.event img[data-state="ready"]');
    await page.click("#forget-last");
    assert.deepEqual(await sent(page), []);
    await page.click("#forget-last-no");
    await page.click("#forget-last");
    await page.click("#forget-last-yes");
    await page.click("#forget-all");
    await page.click("#forget-all-yes");
    assert.deepEqual(await sent(page), [{ type: "memory.forget", last_ms: 300000 }, { type: "memory.forget", all: true }]);
    await emit(page, { type: "memory.forgotten", start_ms: 0, end_ms: all.now_ms, events: 5, keyframes: 12 }, updated(all, { removed: all.events.map((e) => e.id) }));
    await waitText(page, ".turns", "Forgotten: 5 events and 12 pictures");
    await page.waitForSelector(".memory-empty:visible");
    await settle(page);
    assert.equal(await page.$$eval(".event", (e) => e.length), 0);
  });

  test("shows what is looked out for, stops it, and marks the answer that nobody asked for", async (t) => {
    const page = await live(t);
    const watch = { id: "watch_1", condition: "a cup comes into view", created_ms: 1, fired: 0, once: true };
    await emit(page, timeline(), { type: "memory.watch.created", watch });
    await waitText(page, ".watches", "a cup comes into view");
    await emit(page, { type: "response.created", response: { id: "r9", status: "in_progress" } }, { type: "memory.watch.fired", watch: { ...watch, fired: 1 }, response_id: "r9" }, { type: "response.output_text.delta", response_id: "r9", item_id: "a", delta: "A cup!" });
    await waitText(page, ".turn-answer .unasked", "a cup comes into view");
    await page.click(".watch-stop");
    assert.deepEqual(await sent(page), [{ type: "memory.watch.delete", watch_id: "watch_1" }]);
    await emit(page, { type: "memory.watch.ended", watch, reason: "deleted" });
    await page.waitForFunction(() => document.querySelectorAll(".watch").length === 0);
  });

  test("what is to be looked out for can be written down; nothing is sent by opening and leaving it", async (t) => {
    const page = await live(t);
    await emit(page, timeline({ events: 3 }));
    await page.click("#watch-new");
    await page.keyboard.press("Escape");
    assert.equal(await visible(page, "#watch-line"), false);
    await page.click("#watch-new");
    await page.keyboard.type("someone comes in");
    await page.keyboard.press("Enter");
    assert.deepEqual(await sent(page), [{ type: "memory.watch.create", condition: "someone comes in" }]);
    assert.equal(await visible(page, "#watch-line"), false);
    await emit(page, { type: "error", error: { type: "invalid_request_error", code: "invalid_value", message: "I cannot watch for that" } });
    await waitText(page, ".turns", "I cannot watch for that");
    assert.deepEqual(page.errors, []);
  });

  test("a call made anew goes on with the memory; a refused one begins without", async (t) => {
    const page = await live(t);
    await emit(page, timeline());
    site.state.reply = (n) => (n === 2 ? [404, {}, '{"error":{"message":"no such memory"}}'] : []);
    await page.evaluate(() => window.mock.state("failed"));
    await waitText(page, ".turns", "Connected again");
    assert.deepEqual(site.state.calls.map((c) => c.query), ["?ext=latency,scene,video,memory,captions,resume", `?ext=latency,scene,video,memory,captions,resume&memory=${TOKEN}`, "?ext=latency,scene,video,memory,captions,resume"]);
    await page.waitForFunction(() => document.querySelector(".memory").hidden);
  });

  test("600 events and 64 merged ones stay quick", async (t) => {
    const page = await live(t);
    const all = timeline({ roots: 64, parts: 16, events: 600 });
    await emit(page, all);
    await page.waitForSelector(".event");
    const figures = await page.evaluate(async () => {
      const strip = document.querySelector(".strip");
      const [took, drawn] = [[], []];
      document.querySelector("#memory-fit").click();
      await new Promise((r) => setTimeout(r, 400));
      // Closer, sideways, and back out: groups fall apart into events and come together again.
      for (let n = 0; n < 90; n += 1) {
        const [deltaX, deltaY] = n < 30 ? [0, -32] : n < 60 ? [90, 0] : [0, 32];
        const clientX = strip.getBoundingClientRect().x + 400;
        // Frame callbacks run in the order they were asked for in: these two stand around the draw. Between frames the machine may be busy with other things.
        let at = 0;
        requestAnimationFrame(() => (at = performance.now()));
        strip.dispatchEvent(new WheelEvent("wheel", { clientX, deltaX, deltaY, bubbles: true, cancelable: true }));
        await new Promise((r) => requestAnimationFrame(r));
        void strip.offsetWidth;
        took.push(performance.now() - at);
        drawn.push(document.querySelectorAll(".event").length);
      }
      return { half: took.sort((a, b) => a - b)[45], most: Math.max(...drawn), least: Math.min(...drawn) };
    });
    t.diagnostic(JSON.stringify(figures));
    assert.ok(figures.most < 120 && figures.least > 3, `${figures.least} to ${figures.most} blocks in the page`);
    assert.ok(figures.half < 16, `half of the draws took longer than ${figures.half.toFixed(1)} ms`);
  });

  test("fits a phone, opened card and all", async (t) => {
    for (const viewport of [{ width: 320, height: 640 }, { width: 390, height: 844 }, { width: 1024, height: 700 }]) {
      const page = await live(t, "", { viewport });
      const all = timeline({ roots: 2, events: 40 });
      await emit(page, all, cites("r1", all.events.at(-3), all.events.at(-6)), { type: "memory.watch.created", watch: { id: "w", condition: "somebody with a rather long description comes into view" } });
      await page.waitForSelector(".event");
      if (viewport.width < 900) await page.click("#memory-more");
      for (const step of ["#forget-all", ".cite"]) {
        await page.click(step);
        await settle(page);
        assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0, `${viewport.width}, ${step}`);
      }
      const box = await (await page.$(".memory-card")).boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= viewport.width && box.y >= 0 && box.y + box.height <= viewport.height, JSON.stringify(box));
      await page.context().close();
    }
  });
});
