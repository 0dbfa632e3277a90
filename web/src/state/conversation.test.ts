// SPDX-License-Identifier: MIT OR Apache-2.0
import { describe, expect, it } from "vitest";
import type { ServerEvent } from "../client";
import { type Loose, whole } from "../client/testing";
import { Conversation, MAX_TURNS } from "./conversation";

const T = "conversation.item.input_audio_transcription";
type Event = Loose<ServerEvent>;
const apply = (conversation: Conversation, event: Event | undefined) => conversation.apply(whole<ServerEvent>(event ?? {}));
const run = (...events: Event[]) => {
  const conversation = new Conversation();
  events.forEach((e) => apply(conversation, e));
  return conversation;
};
const spoken = (id: string): Event[] => [
  { type: "input_audio_buffer.speech_started", item_id: id, audio_start_ms: 0 },
  { type: "input_audio_buffer.speech_stopped", item_id: id, audio_end_ms: 900 },
];
const answered = (id: string, ...tokens: string[]): Event[] => [
  { type: "response.created", response: { id, status: "in_progress" } },
  ...tokens.map((delta): Event => ({ type: "response.output_text.delta", response_id: id, item_id: "x", delta })),
];

describe("Conversation", () => {
  it("shows a question from the first sound to the final words", () => {
    const c = run(...spoken("i1").slice(0, 1));
    expect(c.turns).toMatchObject([{ state: "listening", text: "" }]);
    apply(c, spoken("i1")[1]);
    expect(c.turns).toMatchObject([{ state: "transcribing" }]);
    apply(c, { type: `${T}.delta`, item_id: "i1", delta: "What do " });
    expect(c.turns).toMatchObject([{ text: "What do " }]);
    apply(c, { type: `${T}.completed`, item_id: "i1", transcript: "What do you see? " });
    expect(c.turns).toMatchObject([{ kind: "user", state: "final", text: "What do you see?", via: "voice" }]);
  });

  it("forgets a noise that had no words", () => {
    expect(run(...spoken("i1"), { type: `${T}.completed`, item_id: "i1", transcript: "  " }).turns).toEqual([]);
  });

  it("says so when speech was not understood", () => {
    expect(run(...spoken("i1"), { type: `${T}.failed`, item_id: "i1", error: {} }).turns).toMatchObject([{ state: "failed" }]);
  });

  it("puts tokens together and keeps the time of the answer", () => {
    const c = run(...answered("r1", "A red", " mug."), { type: "response.latency", response_id: "r1", total_ms: 640, budget_ms: 1000 });
    expect(c.active?.id).toBe("r1");
    apply(c, { type: "response.done", response: { id: "r1", status: "completed" } });
    expect(c.turns).toMatchObject([{ text: "A red mug.", state: "done", firstWordsMs: 640 }]);
    expect(c.active).toBeNull();
  });

  it("shows the words of an answer that is spoken", () => {
    const c = run(...answered("r1"));
    for (const delta of ["A red", " mug."]) c.spoken({ type: "response.output_audio_transcript.delta", response_id: "r1", delta });
    expect(c.turns).toMatchObject([{ text: "A red mug.", state: "streaming" }]);
    c.spoken({ type: "response.output_audio_transcript.done", response_id: "r1", transcript: "A red mug!" });
    expect(c.spoken({ type: "session.resumed" })).toBe(false);
    expect(c.turns).toMatchObject([{ text: "A red mug!" }]);
  });

  it.each([
    ["cancelled", "turn_detected", "cancelled", "you spoke"],
    ["cancelled", "client_cancelled", "cancelled", "stopped"],
    ["incomplete", "max_output_tokens", "incomplete", "cut at the length limit"],
    ["incomplete", "content_filter", "incomplete", "held back by the content filter"],
    ["failed", undefined, "failed", "the server could not answer"],
  ] as const)("marks an answer that was %s (%s)", (status, reason, state, note) => {
    const details = reason === undefined ? {} : { reason };
    const c = run(...answered("r1", "A"), { type: "response.done", response: { id: "r1", status, status_details: details } });
    expect(c.turns).toMatchObject([{ state, note }]);
  });

  it("shows no token that comes after the stop", () => {
    const c = run(...answered("r1", "A"), { type: "response.done", response: { id: "r1", status: "cancelled" } });
    apply(c, { type: "response.output_text.delta", response_id: "r1", item_id: "x", delta: " late" });
    expect(c.turns).toMatchObject([{ text: "A" }]);
  });

  it("keeps a typed question once when the server echoes it", () => {
    const c = new Conversation();
    c.typed("item_1", "what is it?");
    apply(c, { type: "conversation.item.added", item: { id: "item_1", type: "message", role: "user", content: [{ type: "input_text", text: "what is it?" }] } });
    expect(c.turns).toHaveLength(1);
  });

  it("shows questions of another client, but not images or answers, which come by other events", () => {
    const c = run(
      { type: "conversation.item.added", item: { id: "a", type: "message", role: "user", content: [{ type: "input_image" }] } },
      { type: "conversation.item.added", item: { id: "b", type: "message", role: "assistant", content: [] } },
      { type: "conversation.item.added", item: { id: "c", type: "message", role: "user", content: [{ type: "input_text", text: "hi" }] } },
    );
    expect(c.turns).toMatchObject([{ id: "c", text: "hi" }]);
  });

  it("keeps with an answer what it stands on, and that nobody asked for it", () => {
    const fired = { type: "memory.watch.fired", watch: { id: "w", condition: "a cup comes into view" }, response_id: "r1" } as unknown as Event;
    const memory = { type: "response.memory", response_id: "r1", citations: [{ event_id: "ev_1", start_ms: 1, end_ms: 2 }] } as unknown as Event;
    const c = run(fired, ...answered("r1"), memory, ...answered("r1", "A cup."));
    expect(c.turns).toMatchObject([{ kind: "answer", text: "A cup.", watch: "a cup comes into view", citations: [{ eventId: "ev_1" }] }]);
    expect(run({ ...fired, response_id: null } as unknown as Event).turns).toMatchObject([{ kind: "note", text: "Looked out for, and seen: a cup comes into view" }]);
  });

  it("leaves nothing hanging when the connection breaks", () => {
    const c = run(...answered("r1", "A"), ...spoken("i1"), { type: "input_audio_buffer.speech_started", item_id: "i2", audio_start_ms: 0 });
    c.interrupted();
    expect(c.active).toBeNull();
    expect(c.turns).toMatchObject([{ state: "cancelled", note: "cut off by the connection" }, { id: "i1", state: "failed" }]);
  });

  it("is bounded", () => {
    const c = new Conversation();
    for (let n = 0; n < 3 * MAX_TURNS; n += 1) c.typed(`i${n}`, "again");
    expect(c.turns).toHaveLength(MAX_TURNS);
    expect(c.turns.at(-1)?.id).toBe(`i${3 * MAX_TURNS - 1}`);
  });
});
