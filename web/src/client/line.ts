// SPDX-License-Identifier: MIT OR Apache-2.0
import type { CallEvents } from "./call.js";
import { Emitter } from "./emitter.js";
import { parseServerEvent } from "./events.js";

/** What carries the events of a conversation, whichever way they travel. */
export abstract class Line extends Emitter<CallEvents> {
  /** Reads one message of the server and hands it on as what it is. */
  protected take(text: string): void {
    const read = parseServerEvent(text);
    if ("problem" in read) this.emit("problem", read.problem);
    else if ("event" in read) this.emit("event", read.event);
    else this.emit("other", read.other);
  }
}
