// SPDX-License-Identifier: MIT OR Apache-2.0

/**
 * The wire events the client knows, in both directions: the OpenAI Realtime names, and the additions that a client asks
 * for with `?ext=`. Rust has the definition; this file will be generated from it. Until then `events.test.ts` reads the
 * golden files that Rust reads too (`tests/data/wire`).
 *
 * Fields that the client does not read are left out; a server may send more of them, and events of other types.
 */

/** The optional additions to the protocol. A server never sends them unasked. */
export type Extension = "latency" | "scene" | "video" | "memory";

/** One part of a message. */
export interface ContentPart {
  type: "input_text" | "input_audio" | "input_image" | "output_text" | "text" | (string & {});
  text?: string;
  transcript?: string | null;
  image_url?: string;
}

/** An entry of the conversation. */
export interface Item {
  id: string;
  type: "message" | (string & {});
  role?: "user" | "assistant" | "system";
  status?: string;
  content?: ContentPart[];
}

/** How an answer ended. */
export type ResponseStatus = "in_progress" | "completed" | "cancelled" | "incomplete" | "failed";

/** An answer, as `response.created` and `response.done` carry it. */
export interface Response {
  id: string;
  status: ResponseStatus;
  status_details?: {
    type?: string;
    reason?: string;
    error?: { type?: string; code?: string | null; message?: string } | null;
  } | null;
  output?: Item[];
}

/** What the server says when it cannot do something. The session stays open. */
export interface WireError {
  type: string;
  code?: string | null;
  message: string;
  param?: string | null;
  event_id?: string | null;
}

/** A box in fractions of the picture: left, top, right, bottom. */
export type Box = [x0: number, y0: number, x1: number, y1: number];

/** A thing that is followed over frames. */
export interface SceneObject {
  track: number;
  label: string;
  confidence: number;
  box: Box;
  colour?: string | null;
}

/** What the picture, or a part of it, is taken to be. */
export interface SceneLabel {
  label: string;
  confidence: number;
}

/** A line of text that was read. */
export interface SceneText {
  text: string;
  confidence: number;
  box: Box;
}

/** A colour and its share of the picture. */
export interface SceneColour {
  colour: string;
  share: number;
}

/** `scene.facts`: what perception knows at one moment. */
export interface SceneFacts {
  type: "scene.facts";
  objects: SceneObject[];
  labels: SceneLabel[];
  texts: SceneText[];
  colours?: (SceneColour | string)[];
  unusable?: string | null;
  at_ms: number;
}

/** The stages between the end of a question and the first token of the answer, in order. */
export const STAGES = ["vad_end", "asr", "perceive", "prefill", "first_token"] as const;
export type Stage = (typeof STAGES)[number];

/**
 * `response.latency`: where the time of one answer went. Null is a stage that took no part (typed questions have no
 * speech). `prefill_ms` and `first_token_ms` both count from the prompt that is handed over, so the second holds the first.
 */
export type ResponseLatency = {
  type: "response.latency";
  response_id?: string;
  /** End of speech, or the typed question, to the first token. */
  total_ms: number | null;
  /** What `total_ms` may be. */
  budget_ms: number;
  /** What each stage may take, from servers that say so. */
  budgets_ms?: Partial<Record<Stage, number>>;
} & Partial<Record<`${Stage}_ms`, number | null>>;

/** How the incoming video does. */
export interface VideoStats {
  decoded_fps: number;
  /** Pictures that perception looked at, per second. */
  watched_fps?: number;
  dropped?: number;
  width?: number;
  height?: number;
}

/** The tiers of memory: the newest looks, the last half minute, events, merged events, what is on disk. */
export type MemoryTier = "live" | "working" | "episodic" | "long_term" | "archive";

/** What a tier holds now, and what it may hold. */
export interface TierUse {
  items: number;
  capacity: number | null;
  bytes: number;
  /** Of the archive: the most bytes that it may take. */
  quota_bytes?: number | null;
}

/** Null is a tier that is switched off. */
export type TierUses = Partial<Record<MemoryTier, TierUse | null>>;

/** A picture that memory kept: `GET /v1/sessions/{memory_id}/keyframes/{id}`. Times count from the start of the memory. */
export interface MemoryKeyframe {
  id: string;
  at_ms: number;
}

/** A part of a merged event. */
export interface MemoryChild {
  id: string;
  start_ms: number;
  end_ms: number;
  caption: string;
  keyframe: MemoryKeyframe | null;
}

/** A stretch of time that is remembered as one thing. */
export interface MemoryEventView {
  id: string;
  tier: "open" | "episodic" | "long_term" | (string & {});
  start_ms: number;
  end_ms: number;
  caption: string;
  said: { at_ms: number; who: "person" | "sightline" | (string & {}); text: string }[];
  keyframes: MemoryKeyframe[];
  /** How many times it was merged. */
  depth: number;
  children: MemoryChild[];
}

/** What an answer stands on. */
export interface MemoryCitation {
  event_id: string;
  start_ms: number;
  end_ms: number;
  keyframes: string[];
  similarity: number;
}

/** Something the server looks out for, and speaks up about by itself. */
export interface MemoryWatch {
  id: string;
  condition: string;
  created_ms: number;
  fired: number | boolean;
  once: boolean;
}

interface Payloads {
  "session.created": { session: { id: string; model?: string; output_modalities?: string[] } };
  "session.updated": { session: { id: string; model?: string } };
  "session.closed": { reason?: string };
  error: { error: WireError };
  "input_audio_buffer.speech_started": { item_id: string; audio_start_ms: number };
  "input_audio_buffer.speech_stopped": { item_id: string; audio_end_ms: number };
  "input_audio_buffer.committed": { item_id: string };
  "conversation.item.added": { item: Item };
  "conversation.item.done": { item: Item };
  "conversation.item.deleted": { item_id: string };
  "conversation.item.input_audio_transcription.delta": { item_id: string; delta: string };
  "conversation.item.input_audio_transcription.completed": { item_id: string; transcript: string };
  "conversation.item.input_audio_transcription.failed": { item_id: string; error: { message?: string } };
  "response.created": { response: Response };
  "response.output_text.delta": { response_id: string; item_id: string; delta: string };
  "response.output_text.done": { response_id: string; item_id: string; text: string };
  "response.done": { response: Response };
  "response.degraded": { reason: string; step?: string };
  "input_video.stats": VideoStats;
  "memory.timeline": {
    memory_id: string;
    /** Opens the pictures, and continues this memory in a later call. */
    access_token: string;
    started_unix_ms: number;
    now_ms: number;
    tiers: TierUses;
    events: MemoryEventView[];
    watches?: MemoryWatch[];
  };
  "memory.updated": {
    now_ms: number;
    tiers: TierUses;
    changed: MemoryEventView[];
    removed: string[];
    merged: { into: string; from: string[] }[];
  };
  "memory.forgotten": { start_ms: number; end_ms: number; events: number; keyframes: number };
  "memory.watch.created": { watch: MemoryWatch };
  "memory.watch.fired": { watch: MemoryWatch; response_id: string | null };
  "memory.watch.ended": { watch: MemoryWatch; reason: string };
  "response.memory": {
    response_id: string;
    route: "now" | "recent" | "past" | "interval" | "not_visual" | "watch_for" | (string & {});
    interval: { start_ms: number; end_ms: number } | null;
    seen: boolean;
    citations: MemoryCitation[];
  };
}

/** Everything the client understands from the server. */
export type ServerEvent =
  | { [K in keyof Payloads]: { type: K; event_id?: string } & Payloads[K] }[keyof Payloads]
  | (SceneFacts & { event_id?: string })
  | (ResponseLatency & { event_id?: string });

/** Everything the client says. */
export type ClientEvent = { event_id?: string } & (
  | { type: "session.update"; session: Record<string, unknown> }
  | { type: "conversation.item.create"; item: Omit<Item, "id"> & { id?: string } }
  | { type: "response.create"; response?: Record<string, unknown> }
  | { type: "response.cancel"; response_id?: string }
  | { type: "memory.timeline.get" }
  | ({ type: "memory.forget" } & ({ last_ms: number } | { start_ms: number; end_ms: number } | { all: true }))
  | { type: "memory.watch.create"; condition: string }
  | { type: "memory.watch.delete"; watch_id: string }
);

/** The fields without which an event of that type cannot be used, with what `typeof` must say of each. */
export const REQUIRED: { readonly [K in ServerEvent["type"]]: Readonly<Record<string, string>> } = {
  "session.created": { session: "object" },
  "session.updated": { session: "object" },
  "session.closed": {},
  error: { error: "object" },
  "input_audio_buffer.speech_started": { item_id: "string" },
  "input_audio_buffer.speech_stopped": { item_id: "string" },
  "input_audio_buffer.committed": { item_id: "string" },
  "conversation.item.added": { item: "object" },
  "conversation.item.done": { item: "object" },
  "conversation.item.deleted": { item_id: "string" },
  "conversation.item.input_audio_transcription.delta": { item_id: "string", delta: "string" },
  "conversation.item.input_audio_transcription.completed": { item_id: "string", transcript: "string" },
  "conversation.item.input_audio_transcription.failed": { item_id: "string", error: "object" },
  "response.created": { response: "object" },
  "response.output_text.delta": { response_id: "string", item_id: "string", delta: "string" },
  "response.output_text.done": { response_id: "string", item_id: "string", text: "string" },
  "response.done": { response: "object" },
  "response.degraded": { reason: "string" },
  "input_video.stats": { decoded_fps: "number" },
  // What else these hold is read with care: see state/memory.ts.
  "memory.timeline": { memory_id: "string", events: "object" },
  "memory.updated": {},
  "memory.forgotten": {},
  "memory.watch.created": { watch: "object" },
  "memory.watch.fired": { watch: "object" },
  "memory.watch.ended": { watch: "object" },
  "response.memory": { response_id: "string" },
  "scene.facts": { objects: "object", labels: "object", texts: "object" },
  "response.latency": { budget_ms: "number" },
};

/**
 * Reads one message of the data channel or the socket. Returns the event, or the reason it cannot be used; a type the
 * client does not know is not an error, it gives `null`.
 */
export function parseServerEvent(text: string): { event: ServerEvent | null } | { problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: "a message of the server is not JSON" };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { problem: "a message of the server is not an object" };
  }
  const fields = value as Record<string, unknown>;
  const type = fields["type"];
  if (typeof type !== "string") return { problem: "a message of the server has no type" };
  if (!Object.hasOwn(REQUIRED, type)) return { event: null };
  for (const [name, want] of Object.entries(REQUIRED[type as ServerEvent["type"]])) {
    const got = fields[name];
    if (got === undefined || got === null || typeof got !== want) {
      return { problem: `${type} came without a usable ${name}` };
    }
  }
  return { event: value as ServerEvent };
}
