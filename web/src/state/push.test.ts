// SPDX-License-Identifier: MIT OR Apache-2.0
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LEAST_MS, PushToTalk, TAIL_MS } from "./push";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp(more: { answering?: boolean; connected?: boolean } = {}) {
  const log: string[] = [];
  const push = new PushToTalk({
    send: (event) => (more.connected === false ? false : log.push(event.type) > 0),
    microphone: (open) => void log.push(open ? "open" : "closed"),
    answering: () => more.answering ?? false,
    now: () => Date.now(),
    changed: () => undefined,
  });
  return { log, push };
}

describe("push to talk", () => {
  it("takes in what is said while it is held, to the last sound, and asks once", () => {
    const { log, push } = setUp();
    push.press();
    push.press();
    expect(push.held).toBe(true);
    vi.advanceTimersByTime(2000);
    push.release();
    push.release();
    expect(push.held).toBe(false);
    expect(log).toEqual(["input_audio_buffer.clear", "open"]);
    vi.advanceTimersByTime(TAIL_MS);
    expect(log.slice(2)).toEqual(["closed", "input_audio_buffer.commit", "response.create"]);
    vi.advanceTimersByTime(10000);
    expect(log).toHaveLength(5);
  });

  it("asks nothing after a slip", () => {
    const { log, push } = setUp();
    push.press();
    vi.advanceTimersByTime(LEAST_MS - 1);
    push.release();
    vi.advanceTimersByTime(10000);
    expect(log).toEqual(["input_audio_buffer.clear", "open", "closed", "input_audio_buffer.clear"]);
  });

  it("stops the answer that is being given", () => {
    const { log, push } = setUp({ answering: true });
    push.press();
    expect(log.slice(0, 2)).toEqual(["response.cancel", "output_audio_buffer.clear"]);
  });

  it("loses nothing when it is pressed again at once", () => {
    const { log, push } = setUp();
    push.press();
    vi.advanceTimersByTime(1000);
    push.release();
    push.press();
    expect(log.slice(2)).toEqual(["closed", "input_audio_buffer.commit", "response.create", "input_audio_buffer.clear", "open"]);
  });

  it("does nothing without a connection, and stops with the conversation", () => {
    const none = setUp({ connected: false });
    none.push.press();
    expect([none.push.held, none.log]).toEqual([false, []]);
    const { log, push } = setUp();
    push.press();
    vi.advanceTimersByTime(1000);
    push.release();
    push.reset();
    vi.advanceTimersByTime(10000);
    expect(log).not.toContain("input_audio_buffer.commit");
  });
});
