// SPDX-License-Identifier: MIT OR Apache-2.0
import { describe, expect, it } from "vitest";
import { Captions, MOST_CHARACTERS, STAY_MS, tail } from "./captions";

const T = "conversation.item.input_audio_transcription";
const say = (c: Captions, now: number, ...messages: ({ type: string } & Record<string, unknown>)[]) => messages.forEach((m) => c.apply(m, now));

describe("captions", () => {
  it("show what is said while it is said, and let it stand a while", () => {
    const c = new Captions();
    say(c, 0, { type: "input_audio_buffer.speech_started", item_id: "i" });
    expect(c.at(0)).toEqual({ you: null, answer: null });
    say(c, 100, { type: `${T}.delta`, item_id: "i", delta: "What do " });
    say(c, 200, { type: `${T}.delta`, item_id: "i", delta: "you" });
    expect(c.at(60000).you).toBe("What do you");
    say(c, 300, { type: `${T}.completed`, item_id: "i", transcript: "What do you see?" });
    expect(c.at(300 + STAY_MS).you).toBe("What do you see?");
    expect(c.at(301 + STAY_MS).you).toBeNull();
    expect(c.moving(301 + STAY_MS)).toBe(false);
  });

  it("show a written answer as it comes", () => {
    const c = new Captions();
    say(c, 0, { type: "response.created", response: { id: "r" } }, { type: "response.output_text.delta", response_id: "r", delta: "A red " });
    expect(c.at(0).answer).toBe("A red");
    say(c, 10, { type: "response.output_text.delta", response_id: "r", delta: "cup." }, { type: "response.done", response: { id: "r" } });
    expect(c.at(10).answer).toBe("A red cup.");
    expect(c.at(11 + STAY_MS).answer).toBeNull();
  });

  it("show a spoken answer word by word as it is heard", () => {
    const c = new Captions();
    const words = ["A", "red", "cup."].map((text, n) => ({ text, start_ms: n * 300, end_ms: n * 300 + 250 }));
    say(c, 0, { type: "response.created", response: { id: "r" } }, { type: "response.output_audio_transcript.delta", response_id: "r", delta: "A red cup." });
    say(c, 100, { type: "response.output_audio.words", response_id: "r", item_id: "i", words }, { type: "output_audio_buffer.started", response_id: "r" });
    say(c, 200, { type: "response.done", response: { id: "r" } });
    expect([100, 399, 400, 700].map((t) => c.at(t).answer)).toEqual(["A", "A", "A red", "A red cup."]);
    // Interrupted: what was not heard was not said.
    say(c, 450, { type: "output_audio_buffer.cleared", response_id: "r" });
    expect(c.at(2000).answer).toBe("A red");
  });

  it("follow a voice that was long made, and one that paused", () => {
    const c = new Captions();
    const piece = (at: number, ...words: string[]) => words.map((text, n) => ({ text, start_ms: at + n * 300, end_ms: at + n * 300 + 250 }));
    say(c, 0, { type: "response.created", response: { id: "r" } }, { type: "response.output_audio_transcript.delta", response_id: "r", delta: "A cup. Red." });
    say(c, 10, { type: "response.done", response: { id: "r" } });
    say(c, 5000, { type: "output_audio_buffer.started", response_id: "r" }, { type: "response.output_audio.words", response_id: "r", words: piece(0, "A", "cup.") });
    expect(c.at(5000 + STAY_MS).answer).toBe("A cup.");
    // The next piece stands at 600 ms of the sound, and is heard two seconds later than that.
    say(c, 7600, { type: "response.output_audio.words", response_id: "r", words: piece(600, "Red,", "too.") });
    expect([7600, 7899, 7900].map((t) => c.at(t).answer)).toEqual(["A cup. Red,", "A cup. Red,", "A cup. Red, too."]);
  });

  it("keep to the answer they are about", () => {
    const c = new Captions();
    say(c, 0, { type: "response.output_text.delta", response_id: "r1", delta: "one" }, { type: "response.output_text.delta", response_id: "r2", delta: "two" });
    say(c, 0, { type: "output_audio_buffer.cleared", response_id: "r1" });
    expect(c.at(1e6).answer).toBe("two");
    c.clear();
    expect(c.moving(0)).toBe(false);
  });

  it("fit", () => {
    const long = "word ".repeat(200);
    expect(tail(long).length).toBeLessThanOrEqual(MOST_CHARACTERS + 2);
    expect(tail(long).startsWith("… word")).toBe(true);
  });

  it("are not broken by nonsense", () => {
    const c = new Captions();
    say(c, 0, { type: "response.output_audio.words" }, { type: "response.created" }, { type: "response.output_audio.words", response_id: "", words: [null, { start_ms: "x" }] });
    expect(c.at(0)).toEqual({ you: null, answer: null });
  });
});
