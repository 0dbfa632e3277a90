// SPDX-License-Identifier: MIT OR Apache-2.0
// npm `openai`: OpenAIRealtimeWS in Node.
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { PATIENCE, RED, RESULT, URL_BASE, WEATHER, check, record, scenarios, version } from "./lib.mjs";

const client = new OpenAI({ apiKey: "any", baseURL: `${URL_BASE}/v1` });
const socket = new OpenAIRealtimeWS({ model: "sightline" }, client);
const waiting = [];
socket.on("event", (event) => {
  record(event);
  for (const w of [...waiting]) w(event);
});
const errors = [];
socket.on("error", (e) => errors.push(e));

function until(kind) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no ${kind}`)), PATIENCE);
    const look = (event) => {
      if (event.type !== kind && event.type !== "error") return;
      waiting.splice(waiting.indexOf(look), 1);
      clearTimeout(late);
      if (event.type === kind) resolve(event);
      else reject(new Error(event.error.message));
    };
    waiting.push(look);
  });
}

const say = (...content) => socket.send({ type: "conversation.item.create", item: { type: "message", role: "user", content } });
const text = (words) => ({ type: "input_text", text: words });
async function answer() {
  const done = until("response.done");
  socket.send({ type: "response.create" });
  const { response } = await done;
  check(response.status === "completed", `status ${response.status}`);
  return response;
}
const words = (response) => response.output.flatMap((i) => i.content ?? []).map((p) => p.text ?? p.transcript ?? "").join("");

const failed = await scenarios("npm openai " + version("openai"), {
  session: async () => {
    await until("session.created");
    const updated = until("session.updated");
    socket.send({ type: "session.update", session: { type: "realtime", instructions: "Be brief.", output_modalities: ["text"], tools: [WEATHER] } });
    const { session } = await updated;
    check(session.instructions === "Be brief." && session.tools[0].name === "get_weather", JSON.stringify(session));
  },
  text: async () => {
    say(text("Say hello."));
    check(words(await answer()).length > 0, "no words");
  },
  picture: async () => {
    say({ type: "input_image", image_url: RED }, text("What colours do you see?"));
    const said = words(await answer());
    check(/red/i.test(said), said);
  },
  tool: async () => {
    say(text("What is the weather in Paris?"));
    const call = (await answer()).output[0];
    check(call.type === "function_call" && /paris/i.test(JSON.parse(call.arguments).city), JSON.stringify(call));
    socket.send({ type: "conversation.item.create", item: { type: "function_call_output", call_id: call.call_id, output: RESULT } });
    const said = words(await answer());
    check(/21|clear/i.test(said), said);
  },
  errors: async () => {
    const refused = until("response.done").catch((e) => e.message);
    socket.send({ type: "response.cancel", event_id: "mine" });
    check(/no such response/.test(await refused), "a wrong cancel is refused");
    check(errors.length === 1 && errors[0].error?.code === "response_cancel_not_active" && errors[0].error.event_id === "mine", JSON.stringify(errors));
  },
});
socket.close();
process.exit(failed ? 1 : 0);
