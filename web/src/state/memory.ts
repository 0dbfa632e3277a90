// SPDX-License-Identifier: MIT OR Apache-2.0
import type { MemoryTier, ServerEvent } from "../client";

/** Where an event stands: still open, remembered whole, or merged with its neighbours. */
export type EventTier = "open" | "episodic" | "long_term";

export interface Keyframe {
  id: string;
  atMs: number;
}

export interface Said {
  atMs: number;
  who: "person" | "sightline";
  text: string;
}

/** A part of a merged event. */
export interface Child {
  id: string;
  startMs: number;
  endMs: number;
  caption: string;
  keyframe: Keyframe | null;
}

/** A stretch of time that is remembered as one thing. Times count from the start of the memory. */
export interface MemoryEvent {
  id: string;
  tier: EventTier;
  startMs: number;
  endMs: number;
  caption: string;
  said: readonly Said[];
  keyframes: readonly Keyframe[];
  depth: number;
  children: readonly Child[];
}

/** What a tier holds. */
export interface Use {
  items: number;
  capacity: number | null;
  bytes: number;
  quotaBytes: number | null;
}

/** What an answer stands on. */
export interface Citation {
  eventId: string;
  startMs: number;
  endMs: number;
  keyframes: readonly string[];
  similarity: number;
}

/** Something the server looks out for. */
export interface Watch {
  id: string;
  condition: string;
  createdMs: number;
  fired: number;
  once: boolean;
}

/** Two events that became one. `seq` grows, so that each is shown once. */
export interface Merge {
  seq: number;
  into: string;
  from: readonly string[];
}

/** All that the page knows of the server's memory. */
export interface MemoryState {
  /** Null until the server has sent a timeline. */
  memoryId: string | null;
  accessToken: string | null;
  startedUnixMs: number | null;
  nowMs: number;
  tiers: Readonly<Partial<Record<MemoryTier, Use>>>;
  events: ReadonlyMap<string, MemoryEvent>;
  /** Ids of the events, oldest first. */
  order: readonly string[];
  /** By the id of the answer. */
  citations: ReadonlyMap<string, readonly Citation[]>;
  /** What the newest answer cites. `seq` grows with every answer that cites something. */
  cited: { seq: number; list: readonly Citation[] };
  watches: readonly Watch[];
  /** The last merges, oldest first. */
  merges: readonly Merge[];
  /** How often something was forgotten on request. */
  forgets: number;
  /** Ids that were taken away: an id is never used twice, so a late word about one of them is void. */
  gone: ReadonlySet<string>;
}

export const NOTHING: MemoryState = {
  memoryId: null, accessToken: null, startedUnixMs: null, nowMs: 0, tiers: {}, events: new Map(), order: [],
  citations: new Map(), cited: { seq: 0, list: [] }, watches: [], merges: [], forgets: 0, gone: new Set(),
};

/** The tiers as the page shows them. */
export const TIERS: readonly MemoryTier[] = ["live", "working", "episodic", "long_term", "archive"];

const MAX_MERGES = 16;
const MAX_GONE = 512;
const MAX_CITED_ANSWERS = 200;

type Fields = Readonly<Record<string, unknown>>;

const fields = (v: unknown): Fields => (typeof v === "object" && v !== null && !Array.isArray(v) ? (v as Fields) : {});
const list = (v: unknown): readonly unknown[] => (Array.isArray(v) ? v : []);
const text = (v: unknown): string => (typeof v === "string" ? v : "");
const number = (v: unknown): number => (typeof v === "number" && Number.isFinite(v) && v > 0 ? v : 0);
const maybe = (v: unknown): number | null => (typeof v === "number" && Number.isFinite(v) && v >= 0 ? v : null);
const some = <T>(v: T | null): v is T => v !== null;

function readKeyframe(v: unknown): Keyframe | null {
  const f = fields(v);
  return text(f["id"]) === "" ? null : { id: text(f["id"]), atMs: number(f["at_ms"]) };
}

function readSpan(f: Fields): { startMs: number; endMs: number } {
  const startMs = number(f["start_ms"]);
  return { startMs, endMs: Math.max(startMs, number(f["end_ms"])) };
}

function readChild(v: unknown): Child | null {
  const f = fields(v);
  if (text(f["id"]) === "") return null;
  return { id: text(f["id"]), ...readSpan(f), caption: text(f["caption"]), keyframe: readKeyframe(f["keyframe"]) };
}

function readSaid(v: unknown): Said | null {
  const f = fields(v);
  if (text(f["text"]) === "") return null;
  return { atMs: number(f["at_ms"]), who: f["who"] === "sightline" ? "sightline" : "person", text: text(f["text"]) };
}

/** Reads an event; null when it has no id or no start, without which it can be shown nowhere. */
export function readEvent(v: unknown): MemoryEvent | null {
  const f = fields(v);
  if (text(f["id"]) === "" || maybe(f["start_ms"]) === null) return null;
  const tier = f["tier"] === "open" || f["tier"] === "long_term" ? f["tier"] : "episodic";
  return {
    id: text(f["id"]), tier, ...readSpan(f), caption: text(f["caption"]), depth: Math.round(number(f["depth"])),
    said: list(f["said"]).map(readSaid).filter(some),
    keyframes: list(f["keyframes"]).map(readKeyframe).filter(some),
    children: list(f["children"]).map(readChild).filter(some),
  };
}

function readTiers(v: unknown, before: MemoryState["tiers"]): MemoryState["tiers"] {
  if (v === undefined || v === null) return before;
  const f = fields(v);
  const tiers: Partial<Record<MemoryTier, Use>> = {};
  for (const tier of TIERS) {
    if (typeof f[tier] !== "object" || f[tier] === null) continue;
    const u = fields(f[tier]);
    tiers[tier] = { items: number(u["items"]), capacity: maybe(u["capacity"]), bytes: number(u["bytes"]), quotaBytes: maybe(u["quota_bytes"]) };
  }
  return tiers;
}

function readWatch(v: unknown): Watch | null {
  const f = fields(v);
  if (text(f["id"]) === "") return null;
  const fired = f["fired"] === true ? 1 : number(f["fired"]);
  return { id: text(f["id"]), condition: text(f["condition"]), createdMs: number(f["created_ms"]), fired, once: f["once"] === true };
}

/** Reads what an answer cites. */
export function readCitations(v: unknown): Citation[] {
  return list(v).map((c): Citation | null => {
    const f = fields(c);
    if (text(f["event_id"]) === "") return null;
    const keyframes = list(f["keyframes"]).map(text).filter((k) => k !== "");
    return { eventId: text(f["event_id"]), ...readSpan(f), keyframes, similarity: number(f["similarity"]) };
  }).filter(some);
}

const byTime = (events: ReadonlyMap<string, MemoryEvent>): string[] =>
  [...events.values()].sort((a, b) => a.startMs - b.startMs || a.endMs - b.endMs).map((e) => e.id);

function snapshot(state: MemoryState, f: Fields): MemoryState {
  const id = text(f["memory_id"]);
  const same = state.memoryId === id;
  const events = new Map(list(f["events"]).map(readEvent).filter(some).map((e) => [e.id, e]));
  const watches = Array.isArray(f["watches"]) ? list(f["watches"]).map(readWatch).filter(some) : state.watches;
  return {
    ...state,
    memoryId: id,
    accessToken: text(f["access_token"]) || (same ? state.accessToken : null),
    startedUnixMs: maybe(f["started_unix_ms"]),
    nowMs: Math.max(number(f["now_ms"]), same ? state.nowMs : 0),
    tiers: readTiers(f["tiers"], {}),
    events, order: byTime(events), watches, gone: new Set(),
    // Ids of another memory mean nothing here.
    citations: same ? state.citations : new Map(),
    cited: same ? state.cited : { seq: state.cited.seq, list: [] },
  };
}

function updated(state: MemoryState, f: Fields): MemoryState {
  const merges = list(f["merged"]).map((m, n): Merge | null => {
    const into = text(fields(m)["into"]);
    const from = list(fields(m)["from"]).map(text).filter((id) => id !== "");
    return into === "" ? null : { seq: (state.merges.at(-1)?.seq ?? 0) + n + 1, into, from };
  }).filter(some);
  const removed = new Set(list(f["removed"]).map(text).filter((id) => id !== ""));
  // The parts go even when the server names them only here; one of them may be what they merged into.
  for (const merge of merges) for (const id of merge.from) if (id !== merge.into) removed.add(id);
  const gone = removed.size === 0 ? state.gone : new Set([...state.gone, ...removed].slice(-MAX_GONE));
  const changed = list(f["changed"]).map(readEvent).filter(some).filter((e) => !gone.has(e.id));
  const nowMs = Math.max(state.nowMs, number(f["now_ms"]));
  const rest = { tiers: readTiers(f["tiers"], state.tiers), nowMs, gone, merges: [...state.merges, ...merges].slice(-MAX_MERGES) };
  if (removed.size === 0 && changed.length === 0) return { ...state, ...rest };
  const events = new Map(state.events);
  for (const id of removed) events.delete(id);
  for (const event of changed) events.set(event.id, event);
  return { ...state, ...rest, events, order: byTime(events) };
}

function watched(state: MemoryState, value: unknown, how: "set" | "end"): MemoryState {
  const watch = readWatch(value);
  if (!watch) return state;
  if (how === "end") return { ...state, watches: state.watches.filter((w) => w.id !== watch.id) };
  const known = state.watches.find((w) => w.id === watch.id);
  if (!known) return { ...state, watches: [...state.watches, watch] };
  const next = { ...watch, condition: watch.condition || known.condition, fired: Math.max(watch.fired, known.fired) };
  return { ...state, watches: state.watches.map((w) => (w.id === watch.id ? next : w)) };
}

function cites(state: MemoryState, id: string, value: unknown): MemoryState {
  const found = readCitations(value);
  const all = [...state.citations].filter(([known]) => known !== id).slice(1 - MAX_CITED_ANSWERS);
  if (found.length > 0) all.push([id, found]);
  const seq = state.cited.seq + (found.length > 0 ? 1 : 0);
  return { ...state, citations: new Map(all), cited: { seq, list: found } };
}

/** Folds an event in. The same state comes back when the event is none of memory's. */
export function remember(state: MemoryState, event: ServerEvent): MemoryState {
  switch (event.type) {
    case "session.created":
      // Watches belong to a session; one that continues says so again.
      return state.watches.length === 0 ? state : { ...state, watches: [] };
    case "memory.timeline":
      return snapshot(state, event as unknown as Fields);
    case "memory.updated":
      return updated(state, event as unknown as Fields);
    case "memory.forgotten":
      return { ...state, forgets: state.forgets + 1 };
    case "memory.watch.created":
    case "memory.watch.fired":
      return watched(state, event.watch, "set");
    case "memory.watch.ended":
      return watched(state, event.watch, "end");
    case "response.memory":
      return cites(state, event.response_id, event.citations);
    default:
      return state;
  }
}

/** All pictures of an event in the order of time, those of its parts included. */
export function pictures(event: MemoryEvent): Keyframe[] {
  const all = new Map(event.keyframes.map((k) => [k.id, k]));
  for (const { keyframe } of event.children) if (keyframe) all.set(keyframe.id, keyframe);
  return [...all.values()].sort((a, b) => a.atMs - b.atMs);
}

/** What was cited, as it is now: itself, what it was merged into, or null when it is gone. */
export function findCited(state: MemoryState, citation: Citation): MemoryEvent | null {
  const itself = state.events.get(citation.eventId);
  if (itself) return itself;
  let within: MemoryEvent | null = null;
  for (const event of state.events.values()) {
    if (event.children.some((c) => c.id === citation.eventId)) return event;
    const middle = (citation.startMs + citation.endMs) / 2;
    // Parts of parts are no longer named; their time still lies in the whole.
    if (event.depth > 0 && event.startMs <= middle && middle <= event.endMs) within = event;
  }
  return within;
}

/** The address of a picture, or null before the server has said where. */
export function keyframePath(state: MemoryState, id: string): string | null {
  if (state.memoryId === null || state.accessToken === null) return null;
  return `/v1/sessions/${encodeURIComponent(state.memoryId)}/keyframes/${encodeURIComponent(id)}?access_token=${encodeURIComponent(state.accessToken)}`;
}

/** The ids of all pictures that are remembered: what else was loaded is to be dropped. */
export function keyframeIds(state: MemoryState): Set<string> {
  const ids = new Set<string>();
  for (const event of state.events.values()) {
    for (const { id } of event.keyframes) ids.add(id);
    for (const { keyframe } of event.children) if (keyframe) ids.add(keyframe.id);
  }
  return ids;
}

/** Bytes of all tiers in the server's memory; the archive is on disk and counts by itself. */
export function bytesInMemory(state: MemoryState): number {
  return TIERS.reduce((sum, tier) => sum + (tier === "archive" ? 0 : (state.tiers[tier]?.bytes ?? 0)), 0);
}
