// SPDX-License-Identifier: MIT OR Apache-2.0
import type { OtherEvent } from "../client";
import { object } from "../client/fields";

/** How long words stay after they were said. */
export const STAY_MS = 6000;
/** As much as fits two lines of a phone. */
export const MOST_CHARACTERS = 110;
/** Words that are kept for one answer; more of them, and the text is shown as it comes. */
const MAX_WORDS = 2000;

/** What is to be read now; null is nothing. */
export interface Caption {
  you: string | null;
  answer: string | null;
}

interface Word {
  text: string;
  startMs: number;
}

interface Side {
  id: string;
  text: string;
  /** When it was last added to; it goes some time after. */
  at: number;
  going: boolean;
}

const text = (v: unknown): string => (typeof v === "string" ? v : "");

/** The end of a text, from the beginning of a word. */
export function tail(words: string): string {
  const all = words.trim();
  if (all.length <= MOST_CHARACTERS) return all;
  const cut = all.slice(-MOST_CHARACTERS);
  return `… ${cut.slice(cut.indexOf(" ") + 1)}`;
}

/**
 * Live captions of both sides, folded from events. What is said appears as it is recognised; a written answer as it comes;
 * a spoken one word by word as it is heard, where the server says when that is (extension `captions`).
 */
export class Captions {
  private you: Side | null = null;
  private answer: Side | null = null;
  private words: Word[] = [];
  /** When the sound of the answer began to be heard. */
  private heardSince: number | null = null;

  /** Takes in any message of the server. */
  apply(message: OtherEvent, now: number): void {
    const id = text(message["item_id"]);
    const response = text(message["response_id"]);
    switch (message.type) {
      case "input_audio_buffer.speech_started":
        this.you = { id, text: "", at: now, going: true };
        break;
      case "conversation.item.input_audio_transcription.delta":
        this.you = { id, text: (this.you?.id === id ? this.you.text : "") + text(message["delta"]), at: now, going: true };
        break;
      case "conversation.item.input_audio_transcription.completed":
        this.you = { id, text: text(message["transcript"]), at: now, going: false };
        break;
      case "conversation.item.input_audio_transcription.failed":
        this.you = null;
        break;
      case "response.created":
        this.begin(text(object(message["response"])["id"]), now);
        break;
      case "response.output_text.delta":
      case "response.output_audio_transcript.delta":
        if (this.answer?.id !== response) this.begin(response, now);
        if (this.answer) Object.assign(this.answer, { text: this.answer.text + text(message["delta"]), at: now });
        break;
      case "response.output_audio.words":
        if (this.answer?.id === response) this.time(message["words"], now);
        break;
      case "output_audio_buffer.started":
        if (this.answer?.id === response) this.hear(now);
        break;
      case "output_audio_buffer.stopped":
      case "output_audio_buffer.cleared":
        if (this.answer?.id === response) this.end(now);
        break;
      case "response.done":
        // What is spoken is heard for a while after it was all made.
        if (this.heardSince === null && this.words.length === 0) this.end(now);
        break;
    }
  }

  /** The connection is gone. */
  clear(): void {
    this.you = null;
    this.answer = null;
    this.words = [];
    this.heardSince = null;
  }

  /** What is to be read at this moment. */
  at(now: number): Caption {
    return { you: shown(this.you, now), answer: this.answer && shown({ ...this.answer, text: this.heard(now) }, now) };
  }

  /** Whether the caption changes with time alone. */
  moving(now: number): boolean {
    const { you, answer } = this.at(now);
    return you !== null || answer !== null;
  }

  private begin(id: string, now: number): void {
    this.answer = { id, text: "", at: now, going: true };
    this.words = [];
    this.heardSince = null;
  }

  private end(now: number): void {
    if (this.answer) Object.assign(this.answer, { text: this.heard(now), at: now, going: false });
    this.words = [];
    this.heardSince = null;
  }

  /** It is read as long as it is heard, even if the answer was made long before. */
  private hear(now: number): void {
    this.heardSince = now;
    if (this.answer) this.answer.going = true;
  }

  private time(words: unknown, now: number): void {
    // On a track they come as the first of them is heard: later than by the sound's own time, if the voice paused to think.
    const first = object(Array.isArray(words) ? words[0] : null)["start_ms"];
    const late = this.heardSince === null || typeof first !== "number" ? 0 : Math.max(0, now - this.heardSince - first);
    for (const word of Array.isArray(words) ? words : []) {
      const start = object(word)["start_ms"];
      if (typeof start === "number" && this.words.length < MAX_WORDS) this.words.push({ text: text(object(word)["text"]), startMs: start + late });
    }
  }

  /** The words of the answer that were heard; all of them where nobody says when. */
  private heard(now: number): string {
    if (this.words.length === 0) return this.answer?.text ?? "";
    const since = this.heardSince;
    if (since === null) return "";
    return this.words.filter((w) => w.startMs <= now - since).map((w) => w.text.trim()).join(" ");
  }
}

function shown(side: Side | null, now: number): string | null {
  if (!side || side.text.trim() === "" || (!side.going && now - side.at > STAY_MS)) return null;
  return tail(side.text);
}
