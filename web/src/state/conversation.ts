// SPDX-License-Identifier: MIT OR Apache-2.0
import type { Item, OtherEvent, Response, ResponseLatency, ServerEvent } from "../client";
import { type Citation, readCitations } from "./memory";

/** What somebody said or typed. */
export interface UserTurn {
  kind: "user";
  id: string;
  text: string;
  via: "voice" | "typed";
  /** `listening` while speech goes on, `transcribing` until the words are final. */
  state: "listening" | "transcribing" | "final" | "failed";
}

/** An answer. */
export interface AnswerTurn {
  kind: "answer";
  id: string;
  text: string;
  state: "thinking" | "streaming" | "done" | "cancelled" | "incomplete" | "failed";
  /** Why it did not end by itself. */
  note: string | null;
  /** From the end of the question to the first words. */
  firstWordsMs: number | null;
  /** What it stands on. */
  citations: readonly Citation[];
  /** It was not asked for: this was looked out for, and came. */
  watch: string | null;
}

/** A remark of the page itself, such as a new start of the connection. */
export interface NoteTurn {
  kind: "note";
  id: string;
  text: string;
}

export type Turn = UserTurn | AnswerTurn | NoteTurn;

/** What stands under an answer while nobody knows whether it goes on. */
const CUT_OFF = "cut off by the connection";

/** How many turns the page keeps; older ones go. */
export const MAX_TURNS = 200;

/** What was said, folded from events. No clock, no page: the same events give the same turns. */
export class Conversation {
  private list: Turn[] = [];
  private notes = 0;

  get turns(): readonly Turn[] {
    return this.list;
  }

  /** The answer that is being given, if one is. */
  get active(): AnswerTurn | null {
    const last = this.list.findLast((t): t is AnswerTurn => t.kind === "answer");
    return last && (last.state === "thinking" || last.state === "streaming") ? last : null;
  }

  /** A question that this page has just sent. */
  typed(id: string, text: string): void {
    this.add({ kind: "user", id, text, via: "typed", state: "final" });
  }

  note(text: string): void {
    this.notes += 1;
    this.add({ kind: "note", id: `note_${this.notes}`, text });
  }

  /** The connection is gone: nothing that was going on can end any more. */
  interrupted(): void {
    this.list = this.list.filter((t) => t.kind !== "user" || t.state !== "listening");
    for (const turn of this.list) {
      if (turn.kind === "user" && turn.state === "transcribing") turn.state = "failed";
      if (turn.kind === "answer" && (turn.state === "thinking" || turn.state === "streaming")) {
        turn.state = "cancelled";
        turn.note = CUT_OFF;
      }
    }
  }

  /** Takes an event in; false when it changes nothing here. */
  apply(event: ServerEvent): boolean {
    switch (event.type) {
      case "input_audio_buffer.speech_started":
        this.user(event.item_id, "listening");
        return true;
      case "input_audio_buffer.speech_stopped":
      case "input_audio_buffer.committed":
        return this.change(event.item_id, (t) => {
          if (t.state === "listening") t.state = "transcribing";
        });
      case "conversation.item.added":
        return this.added(event.item);
      case "conversation.item.deleted":
        this.remove(event.item_id);
        return true;
      case "conversation.item.input_audio_transcription.delta": {
        const turn = this.user(event.item_id, "transcribing");
        turn.text += event.delta;
        return true;
      }
      case "conversation.item.input_audio_transcription.completed":
        this.transcribed(event.item_id, event.transcript);
        return true;
      case "conversation.item.input_audio_transcription.failed":
        this.user(event.item_id, "failed").state = "failed";
        return true;
      default:
        return this.answer(event);
    }
  }

  private answer(event: ServerEvent): boolean {
    switch (event.type) {
      case "response.created":
        this.response(event.response.id);
        return true;
      case "response.output_text.delta":
        return this.more(event.response_id, event.delta);
      case "response.output_text.done":
        this.response(event.response_id).text = event.text;
        return true;
      case "response.done":
        this.finished(event.response);
        return true;
      case "response.latency":
        return this.timed(event);
      case "response.memory":
        this.response(event.response_id).citations = readCitations(event.citations);
        return true;
      case "memory.watch.fired":
        return this.fired(event.response_id, event.watch.condition);
      default:
        return this.spoken(event as unknown as OtherEvent);
    }
  }

  /** The words of an answer that is spoken; true when it was about one. */
  spoken(message: OtherEvent): boolean {
    const id = message["response_id"];
    if (typeof id !== "string") return false;
    if (message.type === "response.output_audio_transcript.delta") return this.more(id, String(message["delta"] ?? ""));
    if (message.type !== "response.output_audio_transcript.done" || typeof message["transcript"] !== "string") return false;
    this.response(id).text = message["transcript"];
    return true;
  }

  private more(id: string, words: string): boolean {
    const turn = this.response(id);
    // The conversation goes on over another connection, and its answer with it.
    if (turn.state === "cancelled" && turn.note === CUT_OFF) Object.assign(turn, { state: "streaming", note: null });
    // A late token of an answer that was stopped is not shown.
    if (turn.state !== "thinking" && turn.state !== "streaming") return false;
    turn.text += words;
    turn.state = "streaming";
    return true;
  }

  private user(id: string, state: UserTurn["state"]): UserTurn {
    const known = this.list.find((t): t is UserTurn => t.kind === "user" && t.id === id);
    if (known) return known;
    const turn: UserTurn = { kind: "user", id, text: "", via: "voice", state };
    this.add(turn);
    return turn;
  }

  private change(id: string, change: (turn: UserTurn) => void): boolean {
    const turn = this.list.find((t): t is UserTurn => t.kind === "user" && t.id === id);
    if (turn) change(turn);
    return turn !== undefined;
  }

  private transcribed(id: string, transcript: string): void {
    const text = transcript.trim();
    // A cough, a door: something was heard, nothing was said.
    if (text === "") return this.remove(id);
    const turn = this.user(id, "final");
    turn.text = text;
    turn.state = "final";
  }

  /** A message that this page did not send: a second client on the same conversation. */
  private added(item: Item): boolean {
    if (item.type !== "message" || item.role !== "user") return false;
    const text = (item.content ?? []).map((c) => (c.type === "input_text" ? (c.text ?? "") : "")).join(" ").trim();
    if (text === "" || this.list.some((t) => t.id === item.id)) return false;
    this.typed(item.id, text);
    return true;
  }

  private response(id: string): AnswerTurn {
    const known = this.list.find((t): t is AnswerTurn => t.kind === "answer" && t.id === id);
    if (known) return known;
    const turn: AnswerTurn = { kind: "answer", id, text: "", state: "thinking", note: null, firstWordsMs: null, citations: [], watch: null };
    this.add(turn);
    return turn;
  }

  /** What was looked out for came; the answer that says so may have begun already. */
  private fired(id: unknown, condition: unknown): boolean {
    const words = typeof condition === "string" && condition !== "" ? condition : "something looked out for";
    if (typeof id === "string" && id !== "") this.response(id).watch = words;
    else this.note(`Looked out for, and seen: ${words}`);
    return true;
  }

  private finished(response: Response): void {
    const turn = this.response(response.id);
    const reason = response.status_details?.reason;
    const message = response.status_details?.error?.message;
    switch (response.status) {
      case "cancelled":
        turn.state = "cancelled";
        turn.note = reason === "turn_detected" ? "you spoke" : "stopped";
        break;
      case "incomplete":
        turn.state = "incomplete";
        turn.note = reason === "content_filter" ? "held back by the content filter" : "cut at the length limit";
        break;
      case "failed":
        turn.state = "failed";
        turn.note = message ?? "the server could not answer";
        break;
      default:
        Object.assign(turn, { state: "done", note: null });
    }
  }

  private timed(event: ResponseLatency): boolean {
    const turn =
      event.response_id === undefined
        ? this.list.findLast((t): t is AnswerTurn => t.kind === "answer")
        : this.list.find((t): t is AnswerTurn => t.kind === "answer" && t.id === event.response_id);
    if (turn) turn.firstWordsMs = event.first_words_ms ?? event.total_ms;
    return turn !== undefined;
  }

  private remove(id: string): void {
    this.list = this.list.filter((t) => t.id !== id);
  }

  private add(turn: Turn): void {
    this.list.push(turn);
    if (this.list.length > MAX_TURNS) this.list.splice(0, this.list.length - MAX_TURNS);
  }
}
