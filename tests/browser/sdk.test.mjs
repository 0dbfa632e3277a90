// SPDX-License-Identifier: MIT OR Apache-2.0
// @sightline/client and its example, from a page of another origin, against the real server.
import assert from "node:assert/strict";
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { connect as connectTcp, createServer as createTcp } from "node:net";
import { extname, join, normalize } from "node:path";
import { after, before, describe, test } from "node:test";
import { findChromium, launch } from "./lib/browser.mjs";
import { artifact, drawPicture, makeClip } from "./lib/media.mjs";
import { ROOT, serverMissing, startServer } from "./lib/server.mjs";

const WEB = join(ROOT, "web");
const missing = serverMissing() ?? (!findChromium() ? "no Chromium" : !existsSync(join(WEB, "client/dist/index.js")) ? "web/client/dist is not built: npm run build:client in web/" : null);
if (missing) console.log(`skipped: tests of the SDK against the real server (${missing})`);
/** Two cores carry a server and a browser only slowly. */
const PATIENCE = 120000;

const TYPES = { ".html": "text/html", ".js": "text/javascript" };
async function serveWeb() {
  const server = createServer((request, response) => {
    const file = join(WEB, normalize(new URL(request.url, "http://x").pathname));
    if (!file.startsWith(WEB) || !existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
    response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))) };
}

/** A line to the server that can be cut, as networks are: without a goodbye. */
async function cuttable(port) {
  const open = new Set();
  const line = createTcp((near) => {
    const far = connectTcp(port, "127.0.0.1");
    for (const [a, b] of [[near, far], [far, near]]) {
      open.add(a);
      a.on("error", () => b.destroy());
      a.on("close", () => (open.delete(a), b.destroy()));
      a.pipe(b);
    }
  });
  await new Promise((resolve) => line.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${line.address().port}`, cut: () => open.forEach((s) => s.destroy()), close: () => (open.forEach((s) => s.destroy()), line.close()) };
}

const noSocket = typeof WebSocket === "undefined" ? "this Node has no WebSocket" : (serverMissing() ?? (!existsSync(join(WEB, "client/dist/index.js")) ? "web/client/dist is not built" : null));

describe("the SDK in Node", { skip: noSocket ?? false, concurrency: false }, () => {
  test("an answer goes on over a new connection, and the conversation with it", async (t) => {
    const { connect } = await import(join(WEB, "client/dist/index.js"));
    const server = await startServer({ name: "sdk-resume" });
    const line = await cuttable(server.port);
    t.after(() => (line.close(), server.stop()));
    const session = await connect({ url: line.url });
    const seen = [];
    session.on("event", (e) => seen.push(e));
    const came = (type, count = 1) => new Promise((resolve) => {
      const look = () => seen.filter((e) => e.type === type).length >= count && (stop(), resolve());
      const stop = session.on("event", look);
      look();
    });
    await came("session.resumable");
    const answer = session.ask("Write the numbers from one to fifty.");
    await came("response.created");
    line.cut();
    await came("session.resumed");
    const text = await answer.text();
    const done = seen.find((e) => e.type === "response.done").response;
    assert.equal(text, done.output[0].content[0].text, "every word once");
    line.cut();
    await came("session.resumed", 2);
    const again = await session.ask("Say yes.").text();
    assert.ok(again.length > 0);
    assert.deepEqual(session.status, { phase: "live", resumed: true });
    assert.equal(seen.filter((e) => e.type === "session.created").length, 1);
    assert.equal(seen.filter((e) => e.type === "session.resync_required" || e.type === "error").length, 0);
    const numbers = seen.map((e) => e.server_event_seq).filter((n) => n !== undefined);
    assert.deepEqual(numbers, [...new Set(numbers)].sort((a, b) => a - b));
    await session.stop();
  });
});

describe("the SDK", { skip: missing ?? false, concurrency: false }, () => {
  let server, site, browser, sign;
  before(async () => {
    if (missing) return;
    [server, site] = [await startServer({ name: "sdk" }), await serveWeb()];
    const drawer = await launch();
    sign = await drawPicture(drawer, "hello-42", artifact("sdk-hello.png"));
    await drawer.close();
    browser = await launch({ clip: await makeClip(sign, artifact("sdk.mjpeg")) });
  });
  after(async () => {
    await browser?.close();
    await site?.close();
    await server?.stop();
  });

  const example = async (t, query = "") => {
    const page = await browser.newPage();
    t.after(() => page.close());
    await page.goto(`${site.url}/examples/ask.html${query}`);
    return page;
  };

  test("the example asks about a picture over a WebSocket", async (t) => {
    const page = await example(t, `?server=${server.url}`);
    await page.setInputFiles("#image", sign);
    await page.fill("#text", "What does the sign say?");
    await page.click("button");
    await page.waitForFunction(() => /hello|42/i.test(document.getElementById("answer").textContent), null, { timeout: PATIENCE });
  });

  test("the example says what is wrong when nobody is there", async (t) => {
    const page = await example(t, "?server=http://127.0.0.1:9");
    await page.click("button");
    await page.waitForFunction(() => /cannot be reached/.test(document.getElementById("answer").textContent), null, { timeout: 20000 });
  });

  test("a camera over WebRTC, asked with `for await`", async (t) => {
    const page = await example(t);
    const answer = await page.evaluate(async (url) => {
      const { connect } = await import("/client/dist/index.js");
      const session = await connect({ url, camera: true, extensions: ["scene"] });
      await new Promise((resolve) => {
        const stop = session.on("scene.facts", (facts) => facts.texts.length > 0 && (stop(), resolve()));
      });
      const pieces = [];
      for await (const words of session.ask("What does the sign say?")) pieces.push(words);
      await session.stop();
      return pieces;
    }, server.url);
    assert.match(answer.join(""), /hello|42/i);
    assert.ok(answer.length > 1, "the words came one after the other");
  });
});
