// SPDX-License-Identifier: MIT OR Apache-2.0
import { describe, expect, it } from "vitest";
import { FailureError, explain } from "./failure.js";
import { type Endpoint, endCall, iceServersOf, nameRefusal, offerCall, parseRetryAfter } from "./signalling.js";

const endpoint: Endpoint = { base: "", ext: ["latency", "scene"] };
const never = new AbortController().signal;

function server(status: number, body: string, headers: Record<string, string> = {}) {
  const asked: { url: string; init: RequestInit }[] = [];
  const send = (async (url: string, init: RequestInit) => {
    asked.push({ url, init });
    return new Response(body, { status, headers });
  }) as unknown as typeof fetch;
  return { asked, send };
}

async function failureOf(work: Promise<unknown>) {
  const error = await work.then(() => null, (e: unknown) => e);
  expect(error).toBeInstanceOf(FailureError);
  return (error as FailureError).failure;
}

describe("iceServersOf", () => {
  it("takes what the server tells, with the key, unless the caller gives its own", async () => {
    const list = [{ urls: ["turn:t.example"], username: "1:x", credential: "p" }];
    const { asked, send } = server(200, JSON.stringify({ ice_servers: list, expires_at: 1 }));
    expect(await iceServersOf({ ...endpoint, apiKey: "k" }, never, send)).toEqual(list);
    expect(asked[0]).toMatchObject({ url: "/v1/realtime/ice_servers", init: { headers: { Authorization: "Bearer k" } } });
    expect(await iceServersOf({ ...endpoint, iceServers: [] }, never, send)).toEqual([]);
    expect(asked).toHaveLength(1);
  });

  it("does without where the server says nothing", async () => {
    for (const body of ["", "{}", '{"ice_servers":7}']) expect(await iceServersOf(endpoint, never, server(200, body).send)).toEqual([]);
    expect(await iceServersOf(endpoint, never, server(404, "").send)).toEqual([]);
    const gone = (async () => Promise.reject(new TypeError("Failed to fetch"))) as typeof fetch;
    expect(await iceServersOf(endpoint, never, gone)).toEqual([]);
  });
});

describe("offerCall", () => {
  it("posts the offer as it is and takes answer and location", async () => {
    const { asked, send } = server(201, "v=0 answer", { Location: "/v1/realtime/calls/rtc_1" });
    expect(await offerCall(endpoint, "v=0 offer", never, send)).toEqual({ answer: "v=0 answer", location: "/v1/realtime/calls/rtc_1" });
    expect(asked[0]?.url).toBe("/v1/realtime/calls?ext=latency,scene");
    expect(asked[0]?.init).toMatchObject({ method: "POST", body: "v=0 offer", headers: { "Content-Type": "application/sdp" } });
  });

  it("goes on with the memory it is given", async () => {
    const { asked, send } = server(201, "", { Location: "/c/1" });
    await offerCall({ ...endpoint, memory: "mem_7.a+b" }, "", never, send);
    expect(asked[0]?.url).toBe("/v1/realtime/calls?ext=latency,scene&memory=mem_7.a%2Bb");
  });

  it("keeps to the server it was given, whatever the location says", async () => {
    const { send } = server(201, "", { Location: "http://elsewhere.example/v1/realtime/calls/rtc_1" });
    const far = { ...endpoint, base: "https://box.example" };
    expect((await offerCall(far, "", never, send)).location).toBe("https://box.example/v1/realtime/calls/rtc_1");
  });

  it("sends the key when there is one", async () => {
    const { asked, send } = server(201, "", { Location: "/c/1" });
    await offerCall({ ...endpoint, apiKey: "k" }, "", never, send);
    expect(asked[0]?.init.headers).toMatchObject({ Authorization: "Bearer k" });
  });

  it("names a server that is not there", async () => {
    const send = (async () => Promise.reject(new TypeError("Failed to fetch"))) as typeof fetch;
    expect(await failureOf(offerCall(endpoint, "", never, send))).toMatchObject({ kind: "unreachable" });
  });

  it("names a stop by the user", async () => {
    const abort = new AbortController();
    abort.abort();
    const send = (async () => Promise.reject(abort.signal.reason)) as typeof fetch;
    expect(await failureOf(offerCall(endpoint, "", abort.signal, send))).toEqual({ kind: "aborted" });
  });

  it("refuses an answer without a location", async () => {
    expect(await failureOf(offerCall(endpoint, "", never, server(201, "").send))).toMatchObject({ kind: "refused" });
  });
});

describe("refusals", () => {
  it("shows how long a full server asks to wait", () => {
    const failure = nameRefusal(429, "7", '{"error":{"message":"4 of 4 sessions are in use","code":"session_capacity"}}');
    expect(failure).toEqual({ kind: "capacity", detail: "4 of 4 sessions are in use", retryAfterMs: 7000 });
    expect(explain(failure, "h").body).toContain("7 s");
  });

  it.each([
    [401, "unauthorised"],
    [502, "unreachable"],
    [400, "refused"],
    [413, "refused"],
    [500, "refused"],
  ])("%i is %s", (status, kind) => {
    expect(nameRefusal(status, null, "<html>")).toEqual({ kind, detail: `HTTP status ${status}` });
  });

  it.each([
    [null, undefined],
    ["", undefined],
    ["soon", undefined],
    ["-3", undefined],
    ["12", 12000],
    ["999999", 600000],
  ])("Retry-After %j is %j", (value, ms) => {
    expect(parseRetryAfter(value)).toBe(ms);
  });

  it("ends a call quietly when the server is gone", async () => {
    await expect(endCall(endpoint, "/c/1", (async () => Promise.reject(new TypeError("gone"))) as typeof fetch)).resolves.toBeUndefined();
  });
});
