// SPDX-License-Identifier: MIT OR Apache-2.0
import { Answer } from "./answer.js";
import type { CallEvents } from "./call.js";
import { Emitter } from "./emitter.js";
import type { ClientEvent, EventOf, ItemCreate, OtherEvent, PartCreate, ServerEvent } from "./events.js";
import { type Failure, type FailureError, isRetryable, toFailure } from "./failure.js";
import { object } from "./fields.js";

/** The part of a call that a session needs; tests have one of their own. */
export interface CallLike {
  on<K extends keyof CallEvents>(name: K, listener: (value: CallEvents[K]) => void): () => void;
  send(event: ClientEvent): boolean;
  replaceTrack(kind: "audio" | "video", track: MediaStreamTrack | null): Promise<boolean>;
  hangUp(): Promise<void>;
  leave(): void;
}

/** What a connection is to go on with: the token that the server gave, and the newest event that came. */
export interface Resume {
  token: string;
  lastSeq: number;
}

/** Makes a connection. `stream` is what it sends; null: events only. */
export type Open = (stream: MediaStream | null, signal: AbortSignal, resume: Resume | null) => Promise<CallLike>;

/** Where a session stands, and why. */
export type Status =
  | { phase: "idle" }
  /** `failure` is what ended the attempt before this one. */
  | { phase: "connecting"; attempt: number; failure: Failure | null }
  /** `resumed`: it is the conversation from before the break, and nothing was missed. */
  | { phase: "live"; resumed: boolean }
  | { phase: "interrupted" }
  | { phase: "waiting"; failure: Failure; retryInMs: number; attempt: number }
  | { phase: "ended"; failure: Failure | null };

/** What a session tells: each event of the server by its `type`, all of them as `event`, and how the connection does. */
export type SessionEvents = { [T in ServerEvent["type"]]: EventOf<T> } & {
  status: Status;
  event: ServerEvent;
  /** A message of a type that this client does not know. */
  other: OtherEvent;
  problem: string;
  /** The sound of the answers began to come in. */
  audio: MediaStream;
  /** After a break events are missing that the server could not keep: what the conversation holds must be asked for anew. */
  resync: string;
};

/** What else can be said with a question. */
export interface AskOptions {
  /** A picture: JPEG or PNG, as a data URI or a blob. */
  image?: string | Blob | undefined;
  /** Instead of the session's instructions. */
  instructions?: string | undefined;
}

/** What memory is to forget; times count from the start of the memory. */
export type Forget = "all" | { lastMs: number } | { startMs: number; endMs: number };

/** How often a broken session is set up again before the user is asked. */
export const MAX_ATTEMPTS = 6;

/** A call that held this long counts as a good one: after it, counting starts again. */
export const STEADY_MS = 10000;
/** Typing is told of this often at most. */
const TYPING_MS = 5000;

/** After so many events the server is told that they came, so that it need not keep them. */
const ACK_EVERY = 64;

/**
 * The pause before attempt number `attempt` (1, 2, …), or null when it is time to give up. `chance` in `0..1` takes up to half of it away, so
 * that the clients of a server that comes back do not all come at once.
 */
export function retryDelay(failure: Failure, attempt: number, chance = 1): number | null {
  if (!isRetryable(failure) || attempt > MAX_ATTEMPTS) return null;
  const backoff = Math.min(500 * 2 ** (attempt - 1), 15000) * (0.5 + chance / 2);
  return Math.max(backoff, failure.retryAfterMs ?? 0);
}

/** Unique within a conversation is all it has to be. */
const newId = (kind: string): string => `${kind}_${Date.now().toString(36)}${Math.random().toString(36).slice(2, 12)}`;

/**
 * A conversation that survives its calls: when one breaks, the next is made after a pause that grows.
 *
 * Where the server gives a token for it, the next call resumes: the same conversation, with the events that were missed. Elsewhere the server starts
 * anew with each call.
 */
export class Session extends Emitter<SessionEvents> {
  private call: CallLike | undefined;
  /** The call whose conversation the next one goes on with: to hang it up before that one is there would end the conversation. */
  private before: CallLike | undefined;
  private stream: MediaStream | null = null;
  private running = false;
  private token: string | null = null;
  private lastSeq = 0;
  private ackedSeq = 0;
  private attempt = 0;
  /** Of the question that is being typed; the next one is told of anew. */
  private typedAt = -TYPING_MS;
  private abort = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private current: Status = { phase: "idle" };

  constructor(private readonly open: Open, private readonly chance: () => number = Math.random) {
    super();
  }

  get status(): Status {
    return this.current;
  }

  /** Starts, or starts again with another stream. */
  async start(stream: MediaStream | null): Promise<void> {
    await this.drop();
    this.stream = stream;
    this.running = true;
    this.token = null;
    this.lastSeq = 0;
    this.attempt = 0;
    await this.connect();
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.running = false;
    const done = this.drop();
    this.set({ phase: "ended", failure: null });
    await done;
  }

  /** Ends it from `pagehide`. */
  leave(): void {
    this.running = false;
    this.call?.leave();
    this.before?.leave();
    this.call = this.before = undefined;
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

  /** Asks a question in writing, for a page that shows the events itself. Returns the id of the message, or null when there is no connection. */
  say(text: string): string | null {
    const id = newId("item");
    const item: ItemCreate = { id, type: "message", role: "user", content: [{ type: "input_text", text }] };
    if (!this.send({ type: "conversation.item.create", item })) return null;
    this.typedAt = -TYPING_MS;
    this.send({ type: "response.create" });
    return id;
  }

  /** Asks a question in writing, with a picture if there is one, and gives the words of its answer as they come. */
  ask(text: string, options: AskOptions = {}): Answer {
    const id = newId("ask");
    const answer = new Answer(id, {
      onMessage: (listener) => {
        const stops = [this.on("event", (e) => listener(e as unknown as OtherEvent)), this.on("other", listener)];
        return () => stops.forEach((stop) => stop());
      },
      onEnd: (listener) =>
        this.on("status", (s) => {
          const anew = s.phase === "live" && !s.resumed;
          if (s.phase === "ended" || anew) listener((s.phase === "ended" ? s.failure : null) ?? { kind: "lost", detail: "the conversation ended before the answer did" });
        }),
      cancel: (responseId) => void this.send({ type: "response.cancel", response_id: responseId }),
    });
    void this.put(id, text, options).catch((error: unknown) => answer.fail(toFailure(error)));
    return answer;
  }

  private async put(id: string, text: string, options: AskOptions): Promise<void> {
    const content: PartCreate[] = [{ type: "input_text", text }];
    if (options.image !== undefined) {
      const address = typeof options.image === "string" ? options.image : await dataUri(options.image);
      content.unshift({ type: "input_image", image_url: address });
    }
    const item: ItemCreate = { type: "message", role: "user", content };
    const sent = this.send({ type: "conversation.item.create", event_id: id, item });
    this.typedAt = -TYPING_MS;
    const instructions = options.instructions === undefined ? {} : { instructions: options.instructions };
    const asked = sent && this.send({ type: "response.create", event_id: `${id}_create`, response: { metadata: { ask: id }, ...instructions } });
    if (!asked) throw new Error("there is no connection");
  }

  /** Tells that somebody is typing a question, so that the server has by then taken in what stands before it. For every key: it is told every five seconds. */
  typing(): boolean {
    const now = Date.now();
    if (now - this.typedAt < TYPING_MS) return true;
    const sent = this.send({ type: "input_text.typing" });
    if (sent) this.typedAt = now;
    return sent;
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

  /** Shows the camera of a track: at once where the call has a place for it, else by a new call. */
  addCamera(track: MediaStreamTrack): Promise<void> {
    return this.addTrack("video", track);
  }

  /** The same for a microphone. */
  addMicrophone(track: MediaStreamTrack): Promise<void> {
    return this.addTrack("audio", track);
  }

  /** Sends silence, or nothing new to see, until `unmute`. The device stays open. */
  mute(kind: "audio" | "video" = "audio"): void {
    this.enable(kind, false);
  }

  /** Ends `mute`. */
  unmute(kind: "audio" | "video" = "audio"): void {
    this.enable(kind, true);
  }

  private enable(kind: "audio" | "video", on: boolean): void {
    for (const track of this.stream?.getTracks() ?? []) if (track.kind === kind) track.enabled = on;
  }

  private async addTrack(kind: "audio" | "video", track: MediaStreamTrack): Promise<void> {
    const stream = this.stream ?? new MediaStream();
    for (const old of stream.getTracks()) if (old.kind === kind && old !== track) stream.removeTrack(old);
    stream.addTrack(track);
    this.stream = stream;
    if (await this.replaceTrack(kind, track)) return;
    if (this.token === null) await this.drop();
    else if (this.call !== undefined) {
      this.before = this.call;
      this.call = undefined;
    }
    if (this.running) await this.connect();
  }

  private async drop(): Promise<void> {
    this.abort.abort();
    this.abort = new AbortController();
    clearTimeout(this.timer);
    const call = this.call;
    this.call = undefined;
    await call?.hangUp();
    await this.endBefore();
  }

  private async endBefore(): Promise<void> {
    const before = this.before;
    this.before = undefined;
    await before?.hangUp();
  }

  private async connect(): Promise<void> {
    clearTimeout(this.timer);
    if (!this.running) return;
    const { signal } = this.abort;
    const failure = this.current.phase === "waiting" ? this.current.failure : null;
    this.set({ phase: "connecting", attempt: this.attempt, failure });
    const resume = this.token === null ? null : { token: this.token, lastSeq: this.lastSeq };
    try {
      const call = await this.open(this.stream, signal, resume);
      if (signal.aborted) return void call.hangUp();
      this.adopt(call, resume !== null);
      await this.endBefore();
    } catch (error) {
      if (signal.aborted) return;
      const failed = toFailure(error as FailureError);
      if (resume !== null && ["refused", "unauthorised"].includes(failed.kind)) {
        // The server knows that conversation no longer: a new one, rather than none.
        this.token = null;
        return this.connect();
      }
      this.onFailure(failed);
    }
  }

  private adopt(call: CallLike, resumed: boolean): void {
    this.call = call;
    this.timer = setTimeout(() => (this.attempt = 0), STEADY_MS);
    let lastError: string | undefined;
    let replaced = false;
    call.on("event", (event) => {
      if (!this.isNew(event as unknown as OtherEvent)) return;
      this.ack(call, event.type);
      if (event.type === "error") lastError = event.error.message;
      this.emit("event", event);
      this.emit(event.type, event as never);
      replaced ||= this.onSessionMessage(event as unknown as OtherEvent);
    });
    call.on("other", (message) => {
      if (!this.isNew(message)) return;
      this.emit("other", message);
      replaced ||= this.onSessionMessage(message);
    });
    call.on("problem", (problem) => this.emit("problem", problem));
    call.on("audio", (stream) => this.emit("audio", stream));
    call.on("interrupted", (now) => this.set(now ? { phase: "interrupted" } : { phase: "live", resumed: true }));
    call.on("lost", (failure) => {
      if (this.call !== call) return;
      this.call = undefined;
      if (replaced) return this.onFailure({ kind: "replaced" });
      const closed = failure.kind === "closed" && lastError !== undefined;
      this.onFailure(closed ? { ...failure, detail: lastError as string } : failure);
    });
    this.set({ phase: "live", resumed });
  }

  /** Whether a message was not seen before; keeps the number of the newest. */
  private isNew(message: OtherEvent): boolean {
    const seq = message["server_event_seq"];
    if (typeof seq !== "number") return true;
    // A new session counts from the beginning.
    if (message.type === "session.created") this.lastSeq = this.ackedSeq = 0;
    if (seq <= this.lastSeq) return false;
    this.lastSeq = seq;
    return true;
  }

  /** Tells the server what came: now and then, and at once with a new token, by which the one before becomes void. */
  private ack(call: CallLike, type: string): void {
    const handedOut = type === "session.resumable" || type === "session.resumed";
    if (!handedOut && this.lastSeq - this.ackedSeq < ACK_EVERY) return;
    this.ackedSeq = this.lastSeq;
    call.send({ type: "session.event_ack", server_event_seq: this.lastSeq });
  }

  /** What concerns the connection itself. True: this conversation goes on over another one. */
  private onSessionMessage(message: OtherEvent): boolean {
    const token = message["resume_token"] ?? object(message["session"])["resume_token"];
    if (message.type.startsWith("session.") && typeof token === "string") this.token = token;
    if (message.type === "session.resync_required") this.emit("resync", String(message["reason"] ?? ""));
    return message.type === "session.replaced";
  }

  private onFailure(failure: Failure): void {
    clearTimeout(this.timer);
    this.attempt += 1;
    const delay = retryDelay(failure, this.attempt, this.chance());
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

/** A picture as text. */
async function dataUri(blob: Blob): Promise<string> {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  // In pieces: a call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return `data:${blob.type};base64,${btoa(text)}`;
}
