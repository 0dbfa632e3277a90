// SPDX-License-Identifier: MIT OR Apache-2.0
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { connect, endpointOf } from "./connect.js";
import { FailureError } from "./failure.js";
import { type SocketLike, nameClose } from "./socket.js";

type Handler = ((event: never) => void) | null;

class FakeSocket implements SocketLike {
  static made: FakeSocket[] = [];
  static accepts = true;
  readyState = 0;
  sent: string[] = [];
  closed: number | undefined;
  onopen: Handler = null;
  onclose: Handler = null;
  onmessage: Handler = null;
  onerror: Handler = null;
  constructor(readonly url: string, readonly protocols: string[]) {
    FakeSocket.made.push(this);
    setTimeout(() => {
      if (!FakeSocket.accepts) return this.onerror?.({} as never);
      this.readyState = 1;
      this.onopen?.({} as never);
    }, 1);
  }
  send(text: string) {
    this.sent.push(text);
  }
  close(code?: number) {
    this.readyState = 3;
    this.closed = code;
  }
  says(message: object) {
    this.onmessage?.({ data: JSON.stringify(message) } as never);
  }
  breaks(code: number, reason = "") {
    this.readyState = 3;
    this.onclose?.({ code, reason } as never);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.made = [];
  FakeSocket.accepts = true;
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const open = async (more = {}) => {
  const connected = connect({ url: "http://box:8080/", WebSocket: FakeSocket, ...more });
  connected.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(5);
  return connected;
};

describe("connect over a WebSocket", () => {
  it("asks with key, extensions and settings, and hands on what comes, typed", async () => {
    const session = await open({ key: "k", extensions: ["latency"], session: { instructions: "Be brief." }, memory: "mem_1.a" });
    const socket = FakeSocket.made[0] as FakeSocket;
    expect(socket.url).toBe("ws://box:8080/v1/realtime?ext=latency,resume&memory=mem_1.a");
    expect(socket.protocols).toEqual(["realtime", "openai-insecure-api-key.k"]);
    expect(socket.sent.map((t) => JSON.parse(t) as unknown)).toEqual([{ type: "session.update", session: { instructions: "Be brief." } }]);
    const items: string[] = [];
    session.on("input_audio_buffer.committed", (e) => items.push(e.item_id));
    session.on("other", (e) => items.push(e.type));
    socket.says({ type: "input_audio_buffer.committed", event_id: "e", item_id: "i1", previous_item_id: null });
    socket.says({ type: "weather.changed" });
    expect(items).toEqual(["i1", "weather.changed"]);
    await session.stop();
    expect(socket.closed).toBe(1000);
    expect(session.send({ type: "response.create" })).toBe(false);
  });

  it("loses no event that came before anybody listened", async () => {
    const connected = connect({ url: "http://box", WebSocket: FakeSocket });
    await vi.advanceTimersByTimeAsync(1);
    FakeSocket.made[0]?.says({ type: "session.created", event_id: "e", session: { id: "sess_1" } });
    const session = await connected;
    const ids: string[] = [];
    session.on("session.created", (e) => ids.push(e.session.id));
    await vi.advanceTimersByTimeAsync(1);
    expect(ids).toEqual(["sess_1"]);
    await session.stop();
  });

  it("comes back by itself with what it needs to resume", async () => {
    const session = await open();
    FakeSocket.made[0]?.says({ type: "session.created", event_id: "e", server_event_seq: 1, session: { id: "sess_1", resume_token: "t/1" } });
    FakeSocket.made[0]?.breaks(1012);
    await vi.advanceTimersByTimeAsync(1000);
    expect(FakeSocket.made[1]?.url).toBe("ws://box:8080/v1/realtime?ext=resume&resume=t%2F1&last_seq=1");
    expect(session.status).toEqual({ phase: "live", resumed: true });
    // The settings are those of the conversation: they are not sent again.
    expect(FakeSocket.made[1]?.sent).toEqual([]);
    await session.stop();
  });

  it.each([
    [401, "unauthorised"],
    [429, "capacity"],
    [503, "capacity"],
  ])("says why it was not let in: %i", async (status, kind) => {
    FakeSocket.accepts = false;
    vi.stubGlobal("fetch", async () => new Response('{"error":{"message":"so it is"}}', { status }));
    await expect(open()).rejects.toMatchObject({ failure: { kind, detail: "so it is" } });
  });

  it("says when nothing is there", async () => {
    FakeSocket.accepts = false;
    vi.stubGlobal("fetch", async () => Promise.reject(new TypeError("Failed to fetch")));
    await expect(open()).rejects.toMatchObject({ failure: { kind: "unreachable" } });
    await vi.advanceTimersByTimeAsync(60000);
    expect(FakeSocket.made).toHaveLength(1);
  });

  it("names close codes", () => {
    const kinds = [1000, 1006, 1008, 1009, 1012, 1013].map((code) => nameClose(code, "").kind);
    expect(kinds).toEqual(["closed", "lost", "refused", "refused", "lost", "capacity"]);
  });
});

describe("options", () => {
  it("takes an address as people write it", () => {
    for (const url of ["http://box:1", "ws://box:1/", "http://box:1/v1", "http://box:1/v1/realtime"]) expect(endpointOf({ url }).base).toBe("http://box:1");
    expect(endpointOf({ url: "wss://box" }).base).toBe("https://box");
    expect(() => endpointOf({})).toThrow("`url` is missing");
    expect(endpointOf({ url: "http://b", resume: false, extensions: ["scene"] }).ext).toEqual(["scene"]);
    expect(endpointOf({ url: "http://b", token: "ek_1", key: "k" }).apiKey).toBe("ek_1");
  });

  it("refuses a camera over a WebSocket, with the way out", async () => {
    await expect(connect({ url: "http://b", camera: true, transport: "websocket" })).rejects.toThrow("webrtc");
  });

  it("names what a platform lacks", async () => {
    vi.stubGlobal("WebSocket", undefined);
    await expect(connect({ url: "http://b" })).rejects.toBeInstanceOf(FailureError);
  });
});
