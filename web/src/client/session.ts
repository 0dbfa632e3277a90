// SPDX-License-Identifier: MIT OR Apache-2.0
import type { CallEvents } from "./call";
import { Emitter } from "./emitter";
import type { ClientEvent, ServerEvent } from "./events";
import { type Failure, isRetryable, toFailure } from "./failure";

/** The part of a call that a session needs; tests have one of their own. */
export interface CallLike {
  on<K extends keyof CallEvents>(name: K, listener: (value: CallEvents[K]) => void): () => void;
  send(event: ClientEvent): boolean;
  replaceTrack(kind: "audio" | "video", track: MediaStreamTrack | null): Promise<boolean>;
  hangUp(): Promise<void>;
  leave(): void;
}

/** Where a session stands, and why. */
export type Status =
  | { phase: "idle" }
  /** `failure` is what ended the attempt before this one. */
  | { phase: "connecting"; attempt: number; failure: Failure | null }
  | { phase: "live" }
  | { phase: "interrupted" }
  | { phase: "waiting"; failure: Failure; retryInMs: number; attempt: number }
  | { phase: "ended"; failure: Failure | null };

export interface SessionEvents {
  status: Status;
  event: ServerEvent;
  problem: string;
}

/** What memory is to forget; times count from the start of the memory. */
export type Forget = "all" | { lastMs: number } | { startMs: number; endMs: number };

/** How often a broken session is set up again before the user is asked. */
export const MAX_ATTEMPTS = 6;

/** A call that held this long counts as a good one: after it, counting starts again. */
export const STEADY_MS = 10000;

/** The pause before attempt number `attempt` (1, 2, …), or null when it is time to give up. */
export function retryDelay(failure: Failure, attempt: number): number | null {
  if (!isRetryable(failure) || attempt > MAX_ATTEMPTS) return null;
  const backoff = Math.min(500 * 2 ** (attempt - 1), 15000);
  return Math.max(backoff, failure.retryAfterMs ?? 0);
}

/**
 * A conversation that survives its calls: when one breaks, the next is made after a pause that grows.
 *
 * The server starts anew with each call; what was said before is only on the page.
 */
export class Session extends Emitter<SessionEvents> {
  private call: CallLike | undefined;
  private stream: MediaStream | undefined;
  private attempt = 0;
  private abort = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private current: Status = { phase: "idle" };

  constructor(private readonly open: (stream: MediaStream, signal: AbortSignal) => Promise<CallLike>) {
    super();
  }

  get status(): Status {
    return this.current;
  }

  /** Starts, or starts again with another stream. */
  async start(stream: MediaStream): Promise<void> {
    await this.drop();
    this.stream = stream;
    this.attempt = 0;
    await this.connect();
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.stream = undefined;
    const done = this.drop();
    this.set({ phase: "ended", failure: null });
    await done;
  }

  /** Ends it from `pagehide`. */
  leave(): void {
    this.call?.leave();
    this.call = undefined;
    this.abort.abort();
    clearTimeout(this.timer);
    this.set({ phase: "ended", failure: null });
  }

  /** Does not wait for the pause to pass. */
  async retryNow(): Promise<void> {
    if (this.current.phase === "waiting") await this.connect();
  }

  /** Sends an event; false when there is no connection for it. */
  send(event: ClientEvent): boolean {
    return this.call?.send(event) ?? false;
  }

  /** Asks a question in writing. Returns the id of the message, or null when there is no connection. */
  ask(text: string): string | null {
    // Unique within a conversation is all it has to be.
    const id = `item_${Date.now().toString(36)}${Math.random().toString(36).slice(2, 12)}`;
    const item = { id, type: "message", role: "user" as const, content: [{ type: "input_text", text }] };
    if (!this.send({ type: "conversation.item.create", item })) return null;
    this.send({ type: "response.create" });
    return id;
  }

  /** Stops the answer that is being given. */
  cancel(): boolean {
    return this.send({ type: "response.cancel" });
  }

  /** Has memory forget the last while, a stretch of memory time, or everything. What is forgotten is gone for good. */
  forget(what: Forget): boolean {
    if (what === "all") return this.send({ type: "memory.forget", all: true });
    if ("lastMs" in what) return this.send({ type: "memory.forget", last_ms: what.lastMs });
    return this.send({ type: "memory.forget", start_ms: what.startMs, end_ms: what.endMs });
  }

  /** Has the server speak up by itself when something is seen: "when you see a cup". */
  watchFor(condition: string): boolean {
    return this.send({ type: "memory.watch.create", condition });
  }

  /** Ends a watch. */
  unwatch(id: string): boolean {
    return this.send({ type: "memory.watch.delete", watch_id: id });
  }

  /** Asks for the whole timeline; it comes as `memory.timeline`. */
  timeline(): boolean {
    return this.send({ type: "memory.timeline.get" });
  }

  /** See `Call.replaceTrack`. */
  async replaceTrack(kind: "audio" | "video", track: MediaStreamTrack | null): Promise<boolean> {
    return (await this.call?.replaceTrack(kind, track)) ?? false;
  }

  private async drop(): Promise<void> {
    this.abort.abort();
    this.abort = new AbortController();
    clearTimeout(this.timer);
    const call = this.call;
    this.call = undefined;
    await call?.hangUp();
  }

  private async connect(): Promise<void> {
    clearTimeout(this.timer);
    const { stream } = this;
    if (!stream) return;
    const { signal } = this.abort;
    const failure = this.current.phase === "waiting" ? this.current.failure : null;
    this.set({ phase: "connecting", attempt: this.attempt, failure });
    try {
      const call = await this.open(stream, signal);
      if (signal.aborted) return void call.hangUp();
      this.adopt(call);
    } catch (error) {
      if (!signal.aborted) this.onFailure(toFailure(error));
    }
  }

  private adopt(call: CallLike): void {
    this.call = call;
    this.timer = setTimeout(() => (this.attempt = 0), STEADY_MS);
    let lastError: string | undefined;
    call.on("event", (event) => {
      if (event.type === "error") lastError = event.error.message;
      if (event.type === "session.closed") lastError = event.reason ?? lastError;
      this.emit("event", event);
    });
    call.on("problem", (problem) => this.emit("problem", problem));
    call.on("interrupted", (now) => this.set({ phase: now ? "interrupted" : "live" }));
    call.on("lost", (failure) => {
      if (this.call !== call) return;
      this.call = undefined;
      const closed = failure.kind === "closed" && lastError !== undefined;
      this.onFailure(closed ? { ...failure, detail: lastError as string } : failure);
    });
    this.set({ phase: "live" });
  }

  private onFailure(failure: Failure): void {
    clearTimeout(this.timer);
    this.attempt += 1;
    const delay = retryDelay(failure, this.attempt);
    if (delay === null) {
      this.set({ phase: "ended", failure });
      return;
    }
    this.set({ phase: "waiting", failure, retryInMs: delay, attempt: this.attempt });
    this.timer = setTimeout(() => void this.connect(), delay);
  }

  private set(status: Status): void {
    this.current = status;
    this.emit("status", status);
  }
}
