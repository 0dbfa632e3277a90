// SPDX-License-Identifier: MIT OR Apache-2.0
// For tests only.
import type { CallEvents } from "./call.js";
import { Emitter } from "./emitter.js";
import type { ClientEvent } from "./events.js";
import type { CallLike } from "./session.js";

/** The same with every field optional, at every depth: a test says what it is about and nothing else. */
export type Loose<T> = T extends readonly (infer U)[] ? Loose<U>[] : T extends object ? { [K in keyof T]?: Loose<T[K]> } : T;

/** Takes it for whole. */
export const whole = <T>(loose: Loose<T>): T => loose as unknown as T;

/** A connection whose other end is the test: it notes what is sent and how often it was ended. */
export class FakeLine extends Emitter<CallEvents> implements CallLike {
  sent: ClientEvent[] = [];
  ended = 0;
  /** Whether there is a place for another track. */
  protected readonly places: boolean = true;
  send(event: ClientEvent) {
    this.sent.push(event);
    return true;
  }
  async replaceTrack() {
    return this.places;
  }
  async hangUp() {
    this.ended += 1;
  }
  leave() {
    this.ended += 1;
  }
}
