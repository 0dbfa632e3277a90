// SPDX-License-Identifier: MIT OR Apache-2.0
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CallEvents } from "./call.js";
import type { ServerEvent } from "./events.js";
import { FakeLine, whole } from "./testing.js";
import { type Failure, FailureError } from "./failure.js";
import { MAX_ATTEMPTS, STEADY_MS, Session, type Status, retryDelay } from "./session.js";

class FakeCall extends FakeLine {
  fire<K extends keyof CallEvents>(name: K, value: CallEvents[K]) {
    this.emit(name, value);
  }
}

const stream = {} as MediaStream;

/** A session whose calls come from a list of outcomes; the last one repeats. */
function setUp(...outcomes: (Failure | "ok")[]) {
  const calls: FakeCall[] = [];
  let tries = 0;
  const session = new Session(async () => {
    const outcome = outcomes[Math.min(tries, outcomes.length - 1)];
    tries += 1;
    if (outcome !== "ok") throw new FailureError(outcome as Failure);
    const call = new FakeCall();
    calls.push(call);
    return call;
  });
  const phases: Status["phase"][] = [];
  session.on("status", (s) => phases.push(s.phase));
  return { session, calls, phases, tries: () => tries };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("Session", () => {
  it("goes live, asks, and hangs up once", async () => {
    const { session, calls, phases } = setUp("ok");
    await session.start(stream);
    const id = session.say("what is it?");
    expect(calls[0]?.sent.map((e) => e.type)).toEqual(["conversation.item.create", "response.create"]);
    expect(calls[0]?.sent[0]).toMatchObject({ item: { id, role: "user", content: [{ type: "input_text", text: "what is it?" }] } });
    session.forget("all");
    session.forget({ lastMs: 300000 });
    session.forget({ startMs: 1, endMs: 2 });
    session.watchFor("when you see a cup");
    session.unwatch("watch_1");
    session.timeline();
    expect(calls[0]?.sent.slice(2)).toEqual([
      { type: "memory.forget", all: true },
      { type: "memory.forget", last_ms: 300000 },
      { type: "memory.forget", start_ms: 1, end_ms: 2 },
      { type: "memory.watch.create", condition: "when you see a cup" },
      { type: "memory.watch.delete", watch_id: "watch_1" },
      { type: "memory.timeline.get" },
    ]);
    session.typing();
    session.typing();
    await vi.advanceTimersByTimeAsync(6000);
    session.typing();
    expect(calls[0]?.sent.slice(8)).toEqual([{ type: "input_text.typing" }, { type: "input_text.typing" }]);
    session.say("and this?");
    session.typing();
    expect(calls[0]?.sent.at(-1)).toEqual({ type: "input_text.typing" });
    await session.stop();
    expect(calls[0]?.ended).toBe(1);
    expect(phases).toEqual(["connecting", "live", "ended"]);
    expect(session.say("still there?")).toBeNull();
  });

  it("makes a new call when one is lost", async () => {
    const { session, calls, phases } = setUp("ok");
    await session.start(stream);
    calls[0]?.fire("lost", { kind: "lost" });
    expect(session.status).toMatchObject({ phase: "waiting", attempt: 1 });
    await vi.advanceTimersByTimeAsync(600);
    expect(calls).toHaveLength(2);
    expect(phases.at(-1)).toBe("live");
  });

  it("waits as long as a full server asks", async () => {
    const { session, tries } = setUp({ kind: "capacity", retryAfterMs: 9000 }, "ok");
    await session.start(stream);
    await vi.advanceTimersByTimeAsync(8900);
    expect(tries()).toBe(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(session.status.phase).toBe("live");
  });

  it("gives up after a bounded number of attempts", async () => {
    const { session, tries } = setUp({ kind: "unreachable" });
    await session.start(stream);
    await vi.advanceTimersByTimeAsync(10 * 60 * 1000);
    expect(tries()).toBe(MAX_ATTEMPTS + 1);
    expect(session.status).toEqual({ phase: "ended", failure: { kind: "unreachable" } });
  });

  it("gives up also when calls succeed and break at once, again and again", async () => {
    const { session, calls } = setUp("ok");
    session.on("status", (s) => s.phase === "live" && queueMicrotask(() => calls.at(-1)?.fire("lost", { kind: "lost" })));
    await session.start(stream);
    await vi.advanceTimersByTimeAsync(10 * 60 * 1000);
    expect(calls.length).toBe(MAX_ATTEMPTS + 1);
    expect(session.status.phase).toBe("ended");
  });

  it("starts counting afresh after a call that held", async () => {
    const { session, calls } = setUp("ok");
    await session.start(stream);
    for (let n = 0; n < 2 * MAX_ATTEMPTS; n += 1) {
      await vi.advanceTimersByTimeAsync(STEADY_MS + 1000);
      calls.at(-1)?.fire("lost", { kind: "lost" });
    }
    await vi.advanceTimersByTimeAsync(STEADY_MS);
    expect(session.status.phase).toBe("live");
  });

  it.each<Failure>([{ kind: "refused" }, { kind: "unauthorised" }])("does not repeat what was refused: $kind", async (failure) => {
    const { session, tries } = setUp(failure);
    await session.start(stream);
    await vi.advanceTimersByTimeAsync(60000);
    expect(tries()).toBe(1);
    expect(session.status).toEqual({ phase: "ended", failure });
  });

  it("tells why the server ended the conversation", async () => {
    const { session, calls } = setUp("ok");
    await session.start(stream);
    calls[0]?.fire("event", whole<ServerEvent>({ type: "error", error: { type: "invalid_request_error", message: "idle for 300 s" } }));
    calls[0]?.fire("lost", { kind: "closed" });
    expect(session.status).toEqual({ phase: "ended", failure: { kind: "closed", detail: "idle for 300 s" } });
  });

  it("stops a call that comes up after the user has stopped", async () => {
    let finish: (call: FakeCall) => void = () => undefined;
    const session = new Session(() => new Promise((resolve) => (finish = resolve)));
    const started = session.start(stream);
    await vi.advanceTimersByTimeAsync(0);
    await session.stop();
    const late = new FakeCall();
    finish(late);
    await started;
    expect(late.ended).toBe(1);
    expect(session.status.phase).toBe("ended");
  });

  it("does not try again after a stop while waiting", async () => {
    const { session, tries } = setUp({ kind: "unreachable" });
    await session.start(stream);
    await session.stop();
    await vi.advanceTimersByTimeAsync(60000);
    expect(tries()).toBe(1);
  });

  it("ignores a late loss of a call that was replaced", async () => {
    const { session, calls } = setUp("ok");
    await session.start(stream);
    await session.start(stream);
    calls[0]?.fire("lost", { kind: "lost" });
    expect(session.status.phase).toBe("live");
  });
});

describe("retryDelay", () => {
  it("grows, is bounded, and respects Retry-After", () => {
    const delays = Array.from({ length: MAX_ATTEMPTS }, (_, n) => retryDelay({ kind: "lost" }, n + 1) ?? 0);
    expect(delays).toEqual([...delays].sort((a, b) => a - b));
    expect(Math.max(...delays)).toBeLessThanOrEqual(16000);
    expect(retryDelay({ kind: "capacity", retryAfterMs: 20000 }, 1)).toBe(20000);
    expect(retryDelay({ kind: "denied" }, 1)).toBeNull();
  });
});
