// SPDX-License-Identifier: MIT OR Apache-2.0
import { type Failure, FailureError } from "./failure.js";
import { object } from "./fields.js";

/** What an answer needs of the session that it came from. */
export interface AnswerSource {
  /** Every message of the server; the returned function ends that. */
  onMessage(listener: (message: Record<string, unknown>) => void): () => void;
  /** When the conversation is over. */
  onEnd(listener: (failure: Failure) => void): () => void;
  cancel(responseId: string): void;
}

/** Where the words of an answer stand: written, or spoken. */
const WORDS = ["response.output_text.delta", "response.output_audio_transcript.delta"];


/**
 * The answer to one question: `for await (const words of answer)` gives its words as they come, `await answer.text()` all of them.
 *
 * An answer that is cancelled or cut ends early, and `status` says so; one that fails throws a `FailureError`.
 */
export class Answer implements AsyncIterable<string> {
  /** `in_progress` until it is over. */
  status: "in_progress" | "completed" | "cancelled" | "incomplete" | "failed" = "in_progress";
  private responseId: string | null = null;
  private whole = "";
  private given = 0;
  private failure: Failure | null = null;
  private wake: (() => void) | null = null;
  private readonly stops: (() => void)[];

  /** `id` is the question's own, which the server gives back. */
  constructor(readonly id: string, private readonly source: AnswerSource) {
    this.stops = [source.onMessage((m) => this.take(m)), source.onEnd((f) => this.end("failed", f))];
  }

  /** All words; resolves when the answer is over. */
  async text(): Promise<string> {
    while (this.status === "in_progress") await this.next();
    if (this.failure) throw new FailureError(this.failure);
    return this.whole;
  }

  /** Stops it. */
  cancel(): void {
    if (this.status === "in_progress" && this.responseId !== null) this.source.cancel(this.responseId);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    try {
      for (;;) {
        while (this.given === this.whole.length && this.status === "in_progress") await this.next();
        if (this.given < this.whole.length) {
          const words = this.whole.slice(this.given);
          this.given = this.whole.length;
          yield words;
        } else if (this.failure) throw new FailureError(this.failure);
        else return;
      }
    } finally {
      // `break` in the middle: nobody reads on, so nobody needs to write on.
      this.cancel();
    }
  }

  /** It could not even be asked. */
  fail(failure: Failure): void {
    this.end("failed", failure);
  }

  private next(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.wake;
      this.wake = () => {
        before?.();
        resolve();
      };
    });
  }

  private take(message: Record<string, unknown>): void {
    const type = message["type"];
    const response = object(message["response"]);
    if (type === "response.created" && object(response["metadata"])["ask"] === this.id) {
      this.responseId = String(response["id"]);
    } else if (type === "error" && [this.id, `${this.id}_create`].includes(String(object(message["error"])["event_id"]))) {
      this.end("failed", { kind: "refused", detail: String(object(message["error"])["message"]) });
    } else if (type === "session.resync_required") {
      const going = Array.isArray(message["response_ids"]) ? message["response_ids"] : [];
      if (!going.includes(this.responseId)) this.end("failed", { kind: "lost", detail: "the end of the answer was lost with the connection" });
    } else if (this.responseId === null) {
      return;
    } else if (WORDS.includes(String(type)) && message["response_id"] === this.responseId) {
      this.whole += String(message["delta"] ?? "");
      this.notify();
    } else if (type === "response.done" && response["id"] === this.responseId) {
      const status = String(response["status"]);
      if (status === "failed") {
        const error = object(object(response["status_details"])["error"]);
        this.end("failed", { kind: "refused", detail: String(error["message"] ?? "the server could not answer") });
      } else this.end(status === "cancelled" || status === "incomplete" ? status : "completed", null);
    }
  }

  private end(status: Answer["status"], failure: Failure | null): void {
    if (this.status !== "in_progress") return;
    this.status = status;
    this.failure = failure;
    for (const stop of this.stops ?? []) stop();
    this.notify();
  }

  private notify(): void {
    const wake = this.wake;
    this.wake = null;
    wake?.();
  }
}
