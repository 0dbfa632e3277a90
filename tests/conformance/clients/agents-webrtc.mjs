// SPDX-License-Identifier: MIT OR Apache-2.0
// @openai/agents-realtime over WebRTC in Chromium: the SDK's own bundle in a page, a client secret, a microphone, and a camera added by its hook.
import { findChromium, launch } from "../../browser/lib/browser.mjs";
import { artifact, makeClip } from "../../browser/lib/media.mjs";
import { PATIENCE, RESULT, URL_BASE, check, record, scenarios, version } from "./lib.mjs";

const name = `@openai/agents-realtime ${version("@openai/agents-realtime")}, WebRTC in Chromium`;
if (!findChromium()) {
  console.log(JSON.stringify({ client: name, scenario: "session", ok: false, why: "no Chromium: apt-get install chromium" }));
  process.exit(1);
}
const clip = await makeClip(process.env.CONFORMANCE_RED, artifact("conformance-red.mjpeg"));
const browser = await launch({ clip });
const context = await browser.newContext({ ignoreHTTPSErrors: true, bypassCSP: true, permissions: ["camera", "microphone"] });
const page = await context.newPage();
page.setDefaultTimeout(PATIENCE);
await page.goto(`${URL_BASE}/healthz`);
await page.addScriptTag({ path: new URL("../node_modules/@openai/agents-realtime/dist/bundle/openai-realtime-agents.umd.js", import.meta.url).pathname });
await page.exposeFunction("recordEvent", record);

const ask = (message) => page.evaluate(([m, patience]) => window.ask(m, patience), [message, PATIENCE - 5000]);
const failed = await scenarios(name, {
  session: () =>
    page.evaluate(
      async ([url, result]) => {
        const { RealtimeAgent, RealtimeSession, OpenAIRealtimeWebRTC, tool } = window.OpenAIAgentsRealtime;
        const made = await (await fetch(`${url}/v1/realtime/client_secrets`, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" })).json();
        window.called = [];
        window.errors = [];
        const weather = tool({
          name: "get_weather",
          description: "Get the current weather in a city",
          parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false },
          strict: true,
          execute: async ({ city }) => (window.called.push(city), result),
        });
        const agent = new RealtimeAgent({ name: "Helper", instructions: "Be brief.", tools: [weather] });
        const camera = await navigator.mediaDevices.getUserMedia({ video: true });
        // The microphone of the test beeps, so it is left out of the turns.
        const transport = new OpenAIRealtimeWebRTC({
          baseUrl: `${url}/v1/realtime/calls`,
          changePeerConnection: (peer) => (peer.addTrack(camera.getVideoTracks()[0], camera), peer),
        });
        const config = { outputModalities: ["text"], audio: { input: { turnDetection: null } } };
        const session = new RealtimeSession(agent, { transport, model: "sightline", config });
        session.on("error", (e) => window.errors.push(JSON.stringify(e.error ?? e)));
        transport.on("*", (event) => event.event_id !== undefined && window.recordEvent(event));
        window.ask = (message, patience) =>
          new Promise((resolve, reject) => {
            const late = setTimeout(() => reject(new Error(`no answer; errors: ${window.errors}`)), patience);
            const look = (event) => {
              if (event.type !== "response.done") return;
              const words = event.response.output.flatMap((i) => i.content ?? []).map((p) => p.text ?? p.transcript ?? "").join("");
              if (words === "") return;
              clearTimeout(late);
              transport.off?.("*", look);
              resolve(words);
            };
            transport.on("*", look);
            session.sendMessage(message);
          });
        window.session = session;
        await session.connect({ apiKey: made.value });
      },
      [URL_BASE, RESULT],
    ),
  text: async () => check((await ask("Say hello.")).length > 0, "no words"),
  picture: async () => {
    let said = "";
    // The camera's first pictures may not have come yet, and that is said.
    for (let i = 0; i < 20 && !/red/i.test(said); i++) {
      said = await ask("What colours do you see?");
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    check(/red/i.test(said), said);
  },
  tool: async () => {
    const said = await ask("What is the weather in Paris?");
    const called = await page.evaluate(() => window.called);
    check(called.length === 1 && /paris/i.test(called[0]), `called ${JSON.stringify(called)}; ${said}`);
    check(/21|clear/i.test(said), said);
  },
  errors: async () => {
    const errors = await page.evaluate(() => window.errors);
    check(errors.length === 0, errors.join("; "));
  },
});
await browser.close();
process.exit(failed ? 1 : 0);
