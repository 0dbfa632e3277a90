// SPDX-License-Identifier: MIT OR Apache-2.0
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { OtherEvent, ServerEvent } from "./events.js";
import { type Failure, FailureError } from "./failure.js";
import { type Resume, Session, retryDelay } from "./session.js";
import { FakeLine, type Loose, whole } from "./testing.js";

class FakeCall extends FakeLine {
  protected override readonly places = false;
  event(event: Loose<ServerEvent>) {
    this.emit("event", whole<ServerEvent>(event));
  }
  other(message: OtherEvent) {
    this.emit("other", message);
  }
  lose(kind: Failure["kind"]) {
    this.emit("lost", { kind });
  }
}

function setUp(refuse: (resume: Resume | null) => Failure | null = () => null) {
  const calls: FakeCall[] = [];
  const asked: (Resume | null)[] = [];
  const session = new Session(async (_stream, _signal, resume) => {
    asked.push(resume);
    const failure = refuse(resume);
    if (failure) throw new FailureError(failure);
    const call = new FakeCall();
    calls.push(call);
    return call;
  }, () => 0);
  return { session, calls, asked };
}

const created = (token: string, seq: number): Loose<ServerEvent> => ({ type: "session.created", session: { id: "sess_1" }, resume_token: token, server_event_seq: seq }) as unknown as Loose<ServerEvent>;
const delta = (text: string, seq: number): Loose<ServerEvent> => ({ type: "response.output_text.delta", response_id: "r1", delta: text, server_event_seq: seq }) as unknown as Loose<ServerEvent>;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a session that resumes", () => {
  it("says where it stopped, and hands on each event once", async () => {
    const { session, calls, asked } = setUp();
    const words: string[] = [];
    session.on("response.output_text.delta", (e) => words.push(e.delta));
    await session.start(null);
    calls[0]?.event(created("tok", 1));
    calls[0]?.event(delta("a", 2));
    calls[0]?.lose("lost");
    await vi.advanceTimersByTimeAsync(300);
    expect(asked).toEqual([null, { token: "tok", lastSeq: 2 }]);
    expect(session.status).toEqual({ phase: "live", resumed: true });
    calls[1]?.other({ type: "session.resumed", resume_token: "tok2" });
    for (const [text, seq] of [["a", 2], ["b", 3], ["c", 4]] as const) calls[1]?.event(delta(text, seq));
    expect(words).toEqual(["a", "b", "c"]);
    // The newer token is the one that counts from now on.
    calls[1]?.lose("lost");
    await vi.advanceTimersByTimeAsync(2000);
    expect(asked.at(-1)).toEqual({ token: "tok2", lastSeq: 4 });
  });

  it("begins anew when the server knows the conversation no longer", async () => {
    const { session, calls, asked } = setUp((resume) => (resume ? { kind: "refused" } : null));
    await session.start(null);
    calls[0]?.event(created("tok", 7));
    calls[0]?.lose("lost");
    await vi.advanceTimersByTimeAsync(300);
    expect(asked).toEqual([null, { token: "tok", lastSeq: 7 }, null]);
    expect(session.status).toEqual({ phase: "live", resumed: false });
    const seen: string[] = [];
    session.on("event", (e) => seen.push(e.type));
    // It counts from the beginning again: nothing of that is old.
    calls[1]?.event(created("tok9", 1));
    calls[1]?.event(delta("x", 2));
    expect(seen).toEqual(["session.created", "response.output_text.delta"]);
  });

  it("does not fight for a conversation that was taken over elsewhere", async () => {
    const { session, calls, asked } = setUp();
    await session.start(null);
    calls[0]?.event(created("tok", 1));
    calls[0]?.other({ type: "session.replaced" });
    calls[0]?.lose("closed");
    await vi.advanceTimersByTimeAsync(60000);
    expect(asked).toHaveLength(1);
    expect(session.status).toEqual({ phase: "ended", failure: { kind: "replaced" } });
  });

  it("tells when events are missing", async () => {
    const { session, calls } = setUp();
    const reasons: string[] = [];
    session.on("resync", (reason) => reasons.push(reason));
    await session.start(null);
    calls[0]?.other({ type: "session.resync_required", reason: "journal_gap" });
    expect(reasons).toEqual(["journal_gap"]);
  });

  it("resumes nothing after the user ended it", async () => {
    const { session, calls, asked } = setUp();
    await session.start(null);
    calls[0]?.event(created("tok", 1));
    await session.stop();
    await session.start(null);
    expect(asked).toEqual([null, null]);
  });

  it("tells the server what came, at once with a new token", async () => {
    const { session, calls } = setUp();
    await session.start(null);
    calls[0]?.event(created("tok", 1));
    calls[0]?.event({ type: "session.resumable", resume_token: "tok" });
    expect(calls[0]?.sent).toEqual([{ type: "session.event_ack", server_event_seq: 1 }]);
    for (let seq = 2; seq < 140; seq += 1) calls[0]?.event(delta("a", seq));
    expect(calls[0]?.sent.slice(1)).toEqual([65, 129].map((n) => ({ type: "session.event_ack", server_event_seq: n })));
  });

  it("shows a new camera in the same conversation, and ends the call before only then", async () => {
    vi.stubGlobal("MediaStream", class { getTracks = () => []; addTrack = () => undefined; });
    const { session, calls, asked } = setUp();
    await session.start(null);
    calls[0]?.event(created("tok", 3));
    const ended: number[] = [];
    session.on("status", (s) => s.phase === "live" && ended.push(calls[0]?.ended ?? -1));
    await session.addCamera({ kind: "video" } as MediaStreamTrack);
    expect(asked).toEqual([null, { token: "tok", lastSeq: 3 }]);
    expect([ended, calls[0]?.ended]).toEqual([[0], 1]);
    expect(session.status).toEqual({ phase: "live", resumed: true });
    vi.unstubAllGlobals();
  });

  it("does not hang up for a call that could not be placed", async () => {
    vi.stubGlobal("MediaStream", class { getTracks = () => []; addTrack = () => undefined; });
    let busy = false;
    const { session, calls, asked } = setUp(() => (busy ? { kind: "capacity" } : null));
    await session.start(null);
    calls[0]?.event(created("tok", 3));
    busy = true;
    await session.addCamera({ kind: "video" } as MediaStreamTrack);
    expect([session.status.phase, calls[0]?.ended]).toEqual(["waiting", 0]);
    busy = false;
    await vi.advanceTimersByTimeAsync(60000);
    expect(asked).toEqual([null, { token: "tok", lastSeq: 3 }, { token: "tok", lastSeq: 3 }]);
    expect([session.status.phase, calls[0]?.ended]).toEqual(["live", 1]);
    // One that waits for the next is hung up when the user ends it all.
    busy = true;
    await session.addCamera({ kind: "video" } as MediaStreamTrack);
    await session.stop();
    expect(calls[1]?.ended).toBe(1);
    vi.unstubAllGlobals();
  });

  it("spreads the attempts of many clients", () => {
    const [least, most] = [retryDelay({ kind: "lost" }, 3, 0), retryDelay({ kind: "lost" }, 3, 1)];
    expect([least, most]).toEqual([1000, 2000]);
  });
});

describe("ask", () => {
  const ask = async () => {
    const { session, calls } = setUp();
    await session.start(null);
    const answer = session.ask("What is it?", { image: "data:image/png;base64,AA==" });
    await vi.advanceTimersByTimeAsync(0);
    const call = calls[0] as FakeCall;
    const response = (status: "completed" | "failed" | "cancelled", more = {}): Loose<ServerEvent> => ({ type: "response.done", response: { id: "r1", status, ...more } });
    const begin = () => call.event({ type: "response.created", response: { id: "r1", metadata: { ask: answer.id } } });
    return { session, call, answer, response, begin };
  };

  it("sends the question with its picture and gives the words of its own answer", async () => {
    const { call, answer, response, begin } = await ask();
    expect(call.sent).toMatchObject([
      { type: "conversation.item.create", item: { role: "user", content: [{ type: "input_image" }, { type: "input_text", text: "What is it?" }] } },
      { type: "response.create", response: { metadata: { ask: answer.id } } },
    ]);
    call.event({ type: "response.created", response: { id: "r0", metadata: null } });
    call.event({ type: "response.output_text.delta", response_id: "r0", delta: "not mine" });
    begin();
    call.event(delta("A ", 1));
    const words: string[] = [];
    const read = (async () => {
      for await (const w of answer) words.push(w);
    })();
    await vi.advanceTimersByTimeAsync(0);
    call.event(delta("cup.", 2));
    await vi.advanceTimersByTimeAsync(0);
    call.event(response("completed"));
    await read;
    expect(words).toEqual(["A ", "cup."]);
    expect(answer.status).toBe("completed");
    expect(await answer.text()).toBe("A cup.");
  });

  it("gives the words of a spoken answer", async () => {
    const { call, answer, response, begin } = await ask();
    begin();
    call.other({ type: "response.output_audio_transcript.delta", response_id: "r1", delta: "Hello." });
    call.event(response("completed"));
    expect(await answer.text()).toBe("Hello.");
  });

  it("stops the answer when nobody reads on", async () => {
    const { call, answer, begin } = await ask();
    begin();
    call.event(delta("A", 1));
    for await (const _ of answer) break;
    expect(call.sent.at(-1)).toEqual({ type: "response.cancel", response_id: "r1" });
  });

  it("fails as the server says", async () => {
    const { call, answer, response, begin } = await ask();
    begin();
    call.event(response("failed", { status_details: { error: { message: "the model failed" } } }));
    await expect(answer.text()).rejects.toThrow("the model failed");
  });

  it("fails when the question is refused, and not for another's mistake", async () => {
    const { call, answer } = await ask();
    call.event({ type: "error", error: { event_id: "someone", message: "no" } });
    expect(answer.status).toBe("in_progress");
    call.event({ type: "error", error: { event_id: answer.id, message: "picture is neither JPEG nor PNG" } });
    await expect(answer.text()).rejects.toThrow("neither JPEG nor PNG");
  });

  it("fails when its end was lost, and not while it goes on", async () => {
    const { call, answer, begin } = await ask();
    begin();
    call.event({ type: "session.resync_required", reason: "journal_gap", response_ids: ["r1"] });
    expect(answer.status).toBe("in_progress");
    call.event({ type: "session.resync_required", reason: "restarted", response_ids: [] });
    await expect(answer.text()).rejects.toMatchObject({ failure: { kind: "lost" } });
  });

  it("fails when the conversation ends, or when there was none", async () => {
    const { session, answer } = await ask();
    const text = answer.text();
    await session.stop();
    await expect(text).rejects.toMatchObject({ failure: { kind: "lost" } });
    const late = session.ask("Still there?");
    await vi.advanceTimersByTimeAsync(0);
    await expect(late.text()).rejects.toThrow("no connection");
  });
});

describe("media", () => {
  class FakeStream {
    constructor(private tracks: { kind: string; enabled: boolean }[] = []) {}
    getTracks() {
      return [...this.tracks];
    }
    addTrack(track: { kind: string; enabled: boolean }) {
      if (!this.tracks.includes(track)) this.tracks.push(track);
    }
    removeTrack(track: { kind: string; enabled: boolean }) {
      this.tracks = this.tracks.filter((t) => t !== track);
    }
  }
  const track = (kind: string) => ({ kind, enabled: true }) as unknown as MediaStreamTrack;

  it("mutes and unmutes what it sends", async () => {
    const { session } = setUp();
    const [sound, picture] = [track("audio"), track("video")];
    await session.start(new FakeStream([sound, picture]) as unknown as MediaStream);
    session.mute();
    expect([sound.enabled, picture.enabled]).toEqual([false, true]);
    session.unmute();
    session.mute("video");
    expect([sound.enabled, picture.enabled]).toEqual([true, false]);
  });

  it("shows a camera that comes later by a new call, and another one in its place", async () => {
    vi.stubGlobal("MediaStream", FakeStream);
    const { session, calls } = setUp();
    await session.start(null);
    await session.addCamera(track("video"));
    expect(calls).toHaveLength(2);
    expect(calls[0]?.ended).toBe(1);
    const place = vi.spyOn(calls[1] as FakeCall, "replaceTrack").mockResolvedValue(true);
    const other = track("video");
    await session.addCamera(other);
    expect(place).toHaveBeenCalledWith("video", other);
    expect(calls).toHaveLength(2);
    vi.unstubAllGlobals();
  });
});
