// SPDX-License-Identifier: MIT OR Apache-2.0

/** Which part of time is shown, and how large. */
export interface Scale {
  /** The time at the left edge. */
  startMs: number;
  msPerPx: number;
}

/** What the scale is kept within. */
export interface Bounds {
  width: number;
  /** The newest time; the oldest is 0. */
  nowMs: number;
}

/** The closest look: 1 s is 125 px. */
export const CLOSEST = 8;
/** Where a timeline begins: an event of 10 s is 100 px wide. */
export const USUAL = 100;
/** Room right of now, in pixels, so that the newest event is not glued to the edge. */
export const AHEAD_PX = 28;

export const toX = (scale: Scale, ms: number): number => (ms - scale.startMs) / scale.msPerPx;
export const toMs = (scale: Scale, x: number): number => scale.startMs + x * scale.msPerPx;

/** The whole of memory in the width there is. */
export function fit({ width, nowMs }: Bounds): Scale {
  const usable = Math.max(1, width - AHEAD_PX);
  return { startMs: 0, msPerPx: Math.max(CLOSEST, nowMs / usable) };
}

/** The farthest look: all of memory, or the usual look while memory is short. */
export const farthest = (bounds: Bounds): number => Math.max(USUAL, fit(bounds).msPerPx);

/** The nearest scale that shows something: no closer than `CLOSEST`, no farther than all, neither before 0 nor after now. */
export function clamp(scale: Scale, bounds: Bounds): Scale {
  const msPerPx = Math.min(Math.max(scale.msPerPx, CLOSEST), farthest(bounds));
  const last = bounds.nowMs + (AHEAD_PX - bounds.width) * msPerPx;
  return { msPerPx, startMs: Math.max(0, Math.min(scale.startMs, last)) };
}

/** Now at the right edge. */
export function follow(msPerPx: number, bounds: Bounds): Scale {
  return clamp({ msPerPx, startMs: Number.MAX_SAFE_INTEGER }, bounds);
}

/** `factor` times as large (below 1: smaller), with the time at `x` staying where it is. */
export function zoomAt(scale: Scale, factor: number, x: number, bounds: Bounds): Scale {
  const msPerPx = Math.min(Math.max(scale.msPerPx / factor, CLOSEST), farthest(bounds));
  return clamp({ msPerPx, startMs: toMs(scale, x) - x * msPerPx }, bounds);
}

/** Moves the picture by `px` to the left. */
export function pan(scale: Scale, px: number, bounds: Bounds): Scale {
  return clamp({ ...scale, startMs: scale.startMs + px * scale.msPerPx }, bounds);
}

/** A stretch of time in the middle, at most `share` of the width; the zoom stays when the stretch is well visible already. */
export function reveal(scale: Scale, startMs: number, endMs: number, bounds: Bounds, share = 0.7): Scale {
  const long = Math.max(1, endMs - startMs);
  const px = long / scale.msPerPx;
  const tooSmall = px < 64;
  const tooLarge = px > bounds.width * share;
  const msPerPx = tooSmall ? long / 110 : tooLarge ? long / (bounds.width * share) : scale.msPerPx;
  const sized = clamp({ ...scale, msPerPx }, bounds).msPerPx;
  const left = toX(scale, startMs);
  const right = toX(scale, endMs);
  if (sized === scale.msPerPx && left >= 8 && right <= bounds.width - 8) return scale;
  return clamp({ msPerPx: sized, startMs: (startMs + endMs) / 2 - (bounds.width / 2) * sized }, bounds);
}

/** A scale on the way from one to another, `t` from 0 to 1; size grows evenly to the eye, and the way there is straight. */
export function between(from: Scale, to: Scale, t: number): Scale {
  if (t >= 1) return to;
  const msPerPx = from.msPerPx * (to.msPerPx / from.msPerPx) ** t;
  // With another size, the start has to move as the size does, or the picture would swing.
  const share = from.msPerPx === to.msPerPx ? t : (msPerPx - from.msPerPx) / (to.msPerPx - from.msPerPx);
  return { msPerPx, startMs: from.startMs + (to.startMs - from.startMs) * share };
}

const S = 1000;
const M = 60 * S;
const H = 60 * M;
const STEPS = [S, 2 * S, 5 * S, 10 * S, 15 * S, 30 * S, M, 2 * M, 5 * M, 10 * M, 15 * M, 30 * M, H, 2 * H, 3 * H, 6 * H, 12 * H, 24 * H];

export interface Tick {
  ms: number;
  label: string;
}

/** Marks for the axis: as many as fit at `minPx` each, at even times. */
export function ticks(scale: Scale, width: number, minPx = 84): Tick[] {
  const step = STEPS.find((s) => s / scale.msPerPx >= minPx) ?? 24 * H * Math.ceil((minPx * scale.msPerPx) / (24 * H));
  const found: Tick[] = [];
  const end = toMs(scale, width);
  for (let ms = Math.max(0, Math.ceil(scale.startMs / step) * step); ms <= end && found.length < 64; ms += step) {
    found.push({ ms, label: clock(ms, step >= M) });
  }
  return found;
}

/** `0:05`, `12:04`, `1:02:03`; with `short`, whole minutes of long times lose nothing: `1:02 h`. */
function clock(ms: number, whole: boolean): string {
  const all = Math.round(ms / S);
  const [h, m, s] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  if (h > 0 && whole) return m === 0 ? `${h} h` : `${h} h ${two(m)}`;
  if (whole) return `${m} min`;
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** `00:12:04` */
export function formatTime(ms: number): string {
  const all = Math.max(0, Math.floor((Number.isFinite(ms) ? ms : 0) / S));
  return [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60].map((n) => String(n).padStart(2, "0")).join(":");
}

/** `00:12:04–00:12:19` */
export const formatSpan = (startMs: number, endMs: number): string => `${formatTime(startMs)}–${formatTime(endMs)}`;

/** `8 s`, `3 min`, `1 h 05 min` */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / S));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10 && seconds % 60 !== 0) return `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** `0 B`, `812 B`, `14 kB`, `9.3 MB` */
export function formatBytes(bytes: number): string {
  let value = Number.isFinite(bytes) && bytes > 0 ? bytes : 0;
  let unit = 0;
  // Rounding may carry over: 999.6 kB is 1.0 MB.
  while (unit < 4 && Math.round(value) >= 1000) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit >= 2 && value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${["B", "kB", "MB", "GB", "TB"][unit]}`;
}

/** What a block needs to know of an event. */
export interface Spanned {
  id: string;
  tier: string;
  startMs: number;
  endMs: number;
}

/** What is drawn as one: an event, or neighbours that are too narrow to be told apart. */
export interface Block<E extends Spanned> {
  key: string;
  events: readonly E[];
  startMs: number;
  endMs: number;
}

/** An event narrower than this joins its neighbours. */
export const NARROW_PX = 24;
/** How wide such a group is, at most about twice. */
const GROUP_PX = 44;
/** A gap wider than this is shown. */
const GAP_PX = 12;

/**
 * Lays events (oldest first) out as blocks. Which events form a group depends on their times and the zoom alone, not on
 * what is in view: panning regroups nothing, and neither does time that passes.
 */
export function blocksOf<E extends Spanned>(events: readonly E[], msPerPx: number): Block<E>[] {
  const bin = 2 ** Math.ceil(Math.log2(GROUP_PX * msPerPx));
  const blocks: { key: string; events: E[]; startMs: number; endMs: number; bin: number; tier: string }[] = [];
  for (const event of events) {
    const narrow = (event.endMs - event.startMs) / msPerPx < NARROW_PX;
    const slot = narrow ? Math.floor(event.startMs / bin) : -1;
    const last = blocks.at(-1);
    const joins = last && slot >= 0 && last.bin === slot && last.tier === event.tier && (event.startMs - last.endMs) / msPerPx < GAP_PX;
    if (!joins) {
      blocks.push({ key: `e:${event.id}`, events: [event], startMs: event.startMs, endMs: event.endMs, bin: slot, tier: event.tier });
      continue;
    }
    last.key = `g:${(last.events[0] as E).id}`;
    last.events.push(event);
    last.endMs = Math.max(last.endMs, event.endMs);
  }
  return blocks.map(({ key, events: all, startMs, endMs }) => ({ key, events: all, startMs, endMs }));
}

/** The first and the last-plus-one of the blocks (oldest first, not overlapping) that touch a stretch of time. */
export function visible(blocks: readonly { startMs: number; endMs: number }[], fromMs: number, toMs: number): [first: number, end: number] {
  const search = (before: (b: { startMs: number; endMs: number }) => boolean) => {
    let [low, high] = [0, blocks.length];
    while (low < high) {
      const mid = (low + high) >> 1;
      if (before(blocks[mid] as { startMs: number; endMs: number })) low = mid + 1;
      else high = mid;
    }
    return low;
  };
  const first = search((b) => b.endMs < fromMs);
  return [first, Math.max(first, search((b) => b.startMs <= toMs))];
}

/** `count` of a list, evenly spread. */
export function spread<T>(all: readonly T[], count: number): T[] {
  if (count >= all.length) return [...all];
  return Array.from({ length: Math.max(0, count) }, (_, n) => all[Math.floor(((n + 0.5) * all.length) / count)] as T);
}
