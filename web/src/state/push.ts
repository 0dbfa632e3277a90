// SPDX-License-Identifier: MIT OR Apache-2.0
import type { ClientEvent } from "../client";

/** Sound that is still on its way when the button is let go: the microphone stays open for so long. */
export const TAIL_MS = 250;
/** A shorter press was a slip: nothing is asked. */
export const LEAST_MS = 300;

/** What a button to hold acts on. */
export interface Line {
  send(event: ClientEvent): boolean;
  microphone(open: boolean): void;
  /** Whether an answer is being given, which speaking stops. */
  answering(): boolean;
  now(): number;
  /** Something to show has changed. */
  changed(): void;
}

/** Push to talk: while it is held the microphone is open; letting go ends the turn and asks for the answer. */
export class PushToTalk {
  private since: number | null = null;
  private tail: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly line: Line) {}

  get held(): boolean {
    return this.since !== null;
  }

  press(): void {
    if (this.since !== null) return;
    // Let go and pressed again at once: what was said before is asked first.
    this.finish();
    if (this.line.answering()) {
      this.line.send({ type: "response.cancel" });
      this.line.send({ type: "output_audio_buffer.clear" });
    }
    if (!this.line.send({ type: "input_audio_buffer.clear" })) return;
    this.since = this.line.now();
    this.line.microphone(true);
    this.line.changed();
  }

  release(): void {
    if (this.since === null) return;
    const long = this.line.now() - this.since >= LEAST_MS;
    this.since = null;
    this.line.changed();
    if (!long) return this.slip();
    this.tail = setTimeout(() => this.finish(), TAIL_MS);
  }

  /** The conversation is over, or the microphone is to be open all the time. */
  reset(): void {
    clearTimeout(this.tail);
    this.tail = undefined;
    this.since = null;
  }

  private finish(): void {
    if (this.tail === undefined) return;
    clearTimeout(this.tail);
    this.tail = undefined;
    this.line.microphone(false);
    this.line.send({ type: "input_audio_buffer.commit" });
    this.line.send({ type: "response.create" });
  }

  private slip(): void {
    this.line.microphone(false);
    this.line.send({ type: "input_audio_buffer.clear" });
  }
}
