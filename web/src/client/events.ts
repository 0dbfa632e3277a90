// SPDX-License-Identifier: MIT OR Apache-2.0
import {
  type InputVideoStatsEvent,
  type ItemView,
  type PartView,
  type ResponseLatencyEvent,
  type ResponseView,
  SERVER_EVENT_FIELDS,
  type SceneFactsEvent,
  type ServerEvent,
  type StageBudgets,
  type TiersView,
  type WireLabel,
  type WireObject,
  type WireText,
} from "./wire.gen.js";

// The types are made from those of the server: see wire.gen.ts. Here are shorter names for what a client handles most, and the guard.
export type * from "./wire.gen.js";
export { SERVER_EVENT_FIELDS } from "./wire.gen.js";

/** One part of a message. */
export type ContentPart = PartView;
/** An entry of the conversation. */
export type Item = ItemView;
/** An answer, as `response.created` and `response.done` carry it. */
export type Response = ResponseView;
/** A box in fractions of the picture: left, top, right, bottom. */
export type Box = WireObject["box"];
/** A thing that is followed over frames. */
export type SceneObject = WireObject;
/** What the picture, or a part of it, is taken to be. */
export type SceneLabel = WireLabel;
/** A line of text that was read. */
export type SceneText = WireText;
/** `scene.facts`: what perception knows at one moment. */
export type SceneFacts = SceneFactsEvent;
/** How the incoming video does. */
export type VideoStats = InputVideoStatsEvent;
/** Where the time of one answer went. */
export type ResponseLatency = ResponseLatencyEvent;
/** The tiers of memory: the newest looks, the last half minute, events, merged events, what is on disk. */
export type MemoryTier = keyof TiersView;
/** A stage between the end of a question and the first token of the answer. */
export type Stage = keyof StageBudgets;

/** The stages in order. */
export const STAGES: readonly Stage[] = ["vad_end", "asr", "recall", "perceive", "prefill", "first_token"];

/** The event of a `type`. */
export type EventOf<T extends ServerEvent["type"]> = Extract<ServerEvent, { type: T }>;

/** A message of a type that this client does not know. */
export type OtherEvent = { type: string } & Record<string, unknown>;

/** What was read: an event, a message of another type, or the reason why it can be neither. */
export type Read = { event: ServerEvent } | { other: OtherEvent } | { problem: string };

/**
 * Fields that an event is of use without: an older server, or one that is not ours, may leave them out. All others of
 * `SERVER_EVENT_FIELDS` must be there, with the right type.
 */
const SPARED = new Set(["event_id", "previous_item_id", "content_index", "output_index", "usage"]);
/** Events of which only these fields are needed; what else they hold the page reads with care. */
const NEEDED: { readonly [K in ServerEvent["type"]]?: readonly (keyof EventOf<K>)[] } = {
  "input_video.stats": ["decoded_fps"],
  "memory.timeline": ["memory_id", "events"],
  "memory.updated": [],
  "memory.forgotten": [],
  "memory.watch.created": ["watch"],
  "memory.watch.fired": ["watch"],
  "memory.watch.ended": ["watch"],
  "response.memory": ["response_id"],
  "response.degraded": ["reason"],
  "response.latency": ["budget_ms"],
  "scene.facts": ["objects", "labels", "texts"],
  "session.resumable": ["resume_token"],
  "session.resumed": ["resume_token"],
  "session.expiring": [],
  "session.expired": [],
  "session.resync_required": ["reason"],
};

/** The fields without which an event of that type cannot be used, with what `typeof` must say of each. */
export function neededFields(type: ServerEvent["type"]): [name: string, want: string][] {
  const needed: readonly string[] | undefined = NEEDED[type];
  return Object.entries(SERVER_EVENT_FIELDS[type]).filter(
    ([name, want]) => want !== "any" && (needed === undefined ? !SPARED.has(name) : needed.includes(name)),
  );
}

const known = (type: string): type is ServerEvent["type"] => Object.hasOwn(SERVER_EVENT_FIELDS, type);

/** Reads one message of the data channel or the socket. A type that the client does not know is not an error, so that servers can grow. */
export function parseServerEvent(text: string): Read {
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
  if (!known(type)) return { other: fields as OtherEvent };
  for (const [name, want] of neededFields(type)) {
    const got = fields[name];
    if (got === undefined || got === null || typeof got !== want) {
      return { problem: `${type} came without a usable ${name}` };
    }
  }
  return { event: value as ServerEvent };
}
