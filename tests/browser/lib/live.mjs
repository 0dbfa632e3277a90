// SPDX-License-Identifier: MIT OR Apache-2.0
// What the tests of the page alone share: the page in a call whose other end is the test.
import { readFileSync } from "node:fs";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { findChromium, launch, openPage } from "./browser.mjs";
import { haveDist, startStatic } from "./static.mjs";

const init = readFileSync(fileURLToPath(new URL("../mock/peer.js", import.meta.url)), "utf8");

/** Why these tests cannot run here, or null. */
export const missing = !findChromium() ? "no Chromium" : !haveDist() ? "web/dist is not built: npm run build in web/" : null;
if (missing) console.log(`skipped: page tests (${missing})`);

let browser;
export let site;

before(async () => {
  if (missing) return;
  site = await startStatic();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await site?.close();
});

/** A page in a live call, closed again after the test; what it has said of itself so far is forgotten. */
export async function live(t, query = "", options = {}) {
  const page = await idle(t, `?autostart=1${query}`, options);
  await page.waitForSelector('.connection[data-phase="live"]');
  await page.waitForFunction(() => window.mock.sent.some((e) => e.type === "session.update"));
  await page.evaluate(() => window.mock.sent.splice(0));
  return page;
}

/** A page before its call. */
export async function idle(t, query = "", options = {}) {
  const page = await openPage(options.browser ?? browser, { init, ...options });
  t.after(() => page.context().close());
  Object.assign(site.state, { calls: [], ended: [], made: 0, alive: true, reply: null, pictures: [] });
  await page.goto(site.url + "/" + query);
  return page;
}

export const emit = (page, ...events) => page.evaluate((all) => all.forEach((e) => window.mock.emit(e)), events);
export const sent = (page) => page.evaluate(() => window.mock.sent);
/** Two frames of the page: what was emitted before is drawn after. */
export const settle = (page) => page.evaluate(() => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r))));

// What the page shows is read after a frame has drawn it: it draws once a frame, not once an event.
export const turns = async (page) => {
  await settle(page);
  return page.$$eval(".turn", (all) => all.map((t) => ({ state: t.dataset.state, text: t.querySelector(".words").textContent, aside: t.querySelector(".aside").textContent })));
};
export const visible = async (page, selector) => {
  await settle(page);
  return page.isVisible(selector);
};
export const textOf = async (page, selector) => {
  await settle(page);
  return page.textContent(selector);
};

export async function waitText(page, selector, text) {
  await page.waitForFunction(([s, t]) => document.querySelector(s)?.textContent.includes(t), [selector, text], { timeout: 10000 });
}
