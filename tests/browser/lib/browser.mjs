// SPDX-License-Identifier: MIT OR Apache-2.0
// Debian's Chromium with a fake camera and a fake microphone.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const CANDIDATES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** The Chromium to drive: `SIGHTLINE_CHROMIUM`, or the system's. Null when there is none. */
export function findChromium() {
  const wish = process.env.SIGHTLINE_CHROMIUM;
  return [...(wish ? [wish] : []), ...CANDIDATES].find((path) => existsSync(path)) ?? null;
}

/**
 * Starts Chromium.
 *
 * `clip` and `wav` are played once (wav) or in a loop (clip) by the fake devices; without them Chromium shows its test
 * pattern and beeps. `allow: false` refuses camera and microphone as a user would. `noDevices` takes them away.
 */
export async function launch({ clip, wav, allow = true, noDevices = false } = {}) {
  const executablePath = findChromium();
  if (!executablePath) throw new Error("no Chromium found: apt-get install chromium, or set SIGHTLINE_CHROMIUM");
  const args = [
    "--headless=new",
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--force-color-profile=srgb",
  ];
  if (allow) args.push("--use-fake-ui-for-media-stream");
  if (!noDevices) args.push("--use-fake-device-for-media-stream");
  if (clip) args.push(`--use-file-for-fake-video-capture=${clip}`);
  if (wav) args.push(`--use-file-for-fake-audio-capture=${wav}%noloop`);
  return chromium.launch({ executablePath, args, headless: true });
}

/**
 * Opens a page that writes down every event of the data channel, in both directions, with the page's time:
 * `await page.evaluate(() => window.__wire)`. Its console errors and uncaught exceptions come in `page.errors`.
 */
export async function openPage(browser, { viewport = { width: 1280, height: 800 }, dark = false, init, permissions, scale = 1, touch = false } = {}) {
  const context = await browser.newContext({
    viewport,
    colorScheme: dark ? "dark" : "light",
    deviceScaleFactor: scale,
    hasTouch: touch,
    ...(permissions ? { permissions } : {}),
  });
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && page.errors.push(message.text()));
  if (init) await page.addInitScript(init);
  await page.addInitScript(recordWire);
  return page;
}

function recordWire() {
  window.__wire = [];
  const make = RTCPeerConnection.prototype.createDataChannel;
  RTCPeerConnection.prototype.createDataChannel = function (...args) {
    const channel = make.apply(this, args);
    const note = (from, text) => {
      const at = performance.now();
      try {
        window.__wire.push({ at, from, ...JSON.parse(text) });
      } catch {
        window.__wire.push({ at, from, type: "not json" });
      }
    };
    channel.addEventListener("message", (m) => note("server", m.data));
    const send = channel.send.bind(channel);
    channel.send = (text) => {
      note("client", text);
      send(text);
    };
    return channel;
  };
}

/** Everything the data channel carried so far, or only one type. */
export async function wire(page, type) {
  const all = await page.evaluate(() => window.__wire);
  return type ? all.filter((e) => e.type === type) : all;
}

/** Waits until the server has sent an event of that type (`count` of them). */
export async function waitWire(page, type, { count = 1, timeout = 30000 } = {}) {
  await page.waitForFunction(
    ([t, n]) => window.__wire.filter((e) => e.from === "server" && e.type === t).length >= n,
    [type, count],
    { timeout, polling: 50 },
  );
  return (await wire(page, type)).filter((e) => e.from === "server");
}
