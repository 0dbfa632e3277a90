// SPDX-License-Identifier: MIT OR Apache-2.0
import { describe, expect, it } from "vitest";
import type { ServerEvent } from "../client";
import { type Citation, NOTHING, bytesInMemory, findCited, keyframeIds, keyframePath, pictures, readEvent, remember } from "./memory";

const wire = (id: string, start: number, end: number, more: object = {}) => ({
  id, tier: "episodic", start_ms: start, end_ms: end, caption: id, said: [], keyframes: [{ id: `kf_${id}`, at_ms: start }], depth: 0, children: [], ...more,
});
const event = (type: string, more: object): ServerEvent => ({ type, ...more }) as unknown as ServerEvent;
const snapshot = (...events: object[]) => event("memory.timeline", { memory_id: "m", access_token: "mem_m.s", started_unix_ms: 5, now_ms: 100, tiers: {}, events });
const fold = (...events: ServerEvent[]) => events.reduce(remember, NOTHING);
const update = (more: object) => event("memory.updated", { now_ms: 200, changed: [], removed: [], merged: [], ...more });

describe("remember", () => {
  it("takes a timeline in, in the order of time", () => {
    const state = fold(snapshot(wire("b", 10, 20), wire("a", 0, 10)));
    expect(state.order).toEqual(["a", "b"]);
    expect(state).toMatchObject({ memoryId: "m", nowMs: 100, startedUnixMs: 5 });
    expect(keyframePath(state, "kf 1")).toBe("/v1/sessions/m/keyframes/kf%201?access_token=mem_m.s");
    expect(keyframePath(NOTHING, "kf_1")).toBeNull();
  });

  it("leaves what is none of its own as it is", () => {
    const state = fold(snapshot(wire("a", 0, 10)));
    expect(remember(state, event("response.done", { response: { id: "r" } }))).toBe(state);
  });

  it("adds, changes and takes away", () => {
    const state = fold(snapshot(wire("a", 0, 10), wire("b", 10, 20)), update({ changed: [wire("b", 10, 30), wire("c", 30, 40)], removed: ["a", "never there"] }));
    expect(state.order).toEqual(["b", "c"]);
    expect(state.events.get("b")?.endMs).toBe(30);
    expect(state.nowMs).toBe(200);
  });

  it("merges two into one, and says so once per merge", () => {
    const whole = wire("w", 0, 20, { tier: "long_term", depth: 1, children: [{ id: "a", start_ms: 0, end_ms: 10, caption: "", keyframe: { id: "kf_a", at_ms: 0 } }] });
    const state = fold(snapshot(wire("a", 0, 10), wire("b", 10, 20)), update({ changed: [whole], merged: [{ into: "w", from: ["a", "b"] }] }));
    expect(state.order).toEqual(["w"]);
    expect(state.merges).toEqual([{ seq: 1, into: "w", from: ["a", "b"] }]);
    const grown = remember(state, update({ changed: [wire("w", 0, 40)], merged: [{ into: "w", from: ["w", "x"] }] }));
    expect(grown.order).toEqual(["w"]);
    expect(grown.merges.at(-1)?.seq).toBe(2);
  });

  it("brings nothing back that was taken away, until a new timeline says otherwise", () => {
    const state = fold(snapshot(), update({ removed: ["a"] }), update({ changed: [wire("a", 0, 10)] }));
    expect(state.order).toEqual([]);
    expect(remember(state, snapshot(wire("a", 0, 10))).order).toEqual(["a"]);
  });

  it("lets the time of a memory only grow", () => {
    expect(fold(snapshot(), update({ now_ms: 50 })).nowMs).toBe(100);
    expect(fold(snapshot(), event("memory.timeline", { memory_id: "other", now_ms: 3, events: [] })).nowMs).toBe(3);
  });

  it("bears fields that are missing, of another type, or new", () => {
    const odd = [{}, null, 3, { id: "x" }, { id: "y", start_ms: 5, end_ms: 1, said: "?", keyframes: [null, { id: 3 }], children: {}, tier: "fog", depth: -1, news: [] }];
    const state = fold(event("memory.timeline", { memory_id: "m", events: odd, tiers: 7 }), event("memory.updated", {}), update({ changed: "?", removed: [null], merged: [{}], tiers: { live: { items: "4" } } }));
    expect(state.order).toEqual(["y"]);
    expect(state.events.get("y")).toEqual({ id: "y", tier: "episodic", startMs: 5, endMs: 5, caption: "", said: [], keyframes: [], depth: 0, children: [] });
    expect(state.tiers).toEqual({ live: { items: 0, capacity: null, bytes: 0, quotaBytes: null } });
    expect(readEvent({ id: "z", start_ms: Number.NaN })).toBeNull();
  });

  it("keeps the tiers when an update has none, and adds up their bytes without the disk's", () => {
    const tiers = { live: { items: 4, capacity: 4, bytes: 10 }, episodic: { items: 1, capacity: 512, bytes: 5 }, archive: { items: 9, capacity: null, bytes: 1000, quota_bytes: 9000 }, long_term: null };
    const state = fold(snapshot(), update({ tiers }), update({}));
    expect(Object.keys(state.tiers)).toEqual(["live", "episodic", "archive"]);
    expect(state.tiers.archive?.quotaBytes).toBe(9000);
    expect(bytesInMemory(state)).toBe(15);
  });

  it("follows watches by their id, and drops them with their session", () => {
    const watch = { id: "w1", condition: "a cup", created_ms: 1, fired: 0, once: false };
    const made = fold(event("memory.watch.created", { watch }));
    const fired = remember(made, event("memory.watch.fired", { watch: { id: "w1", fired: 2 }, response_id: "r" }));
    expect(fired.watches).toMatchObject([{ id: "w1", condition: "a cup", fired: 2 }]);
    expect(remember(fired, event("memory.watch.ended", { watch: { id: "w1" } })).watches).toEqual([]);
    expect(remember(fired, event("session.created", { session: { id: "s" } })).watches).toEqual([]);
  });
});

describe("citations", () => {
  const cited = (id: string, start = 0, end = 10): Citation => ({ eventId: id, startMs: start, endMs: end, keyframes: [], similarity: 0 });

  it("are kept by answer, and the newest stand out", () => {
    const one = event("response.memory", { response_id: "r1", citations: [{ event_id: "a", start_ms: 0, end_ms: 10, keyframes: ["k", 4], similarity: 0.3 }, {}] });
    const state = fold(snapshot(wire("a", 0, 10)), one, event("response.memory", { response_id: "r2" }));
    expect(state.citations.get("r1")).toEqual([{ eventId: "a", startMs: 0, endMs: 10, keyframes: ["k"], similarity: 0.3 }]);
    expect(state.cited).toEqual({ seq: 1, list: [] });
  });

  it("lead to the event, to what it was merged into, or nowhere", () => {
    const child = { id: "c", start_ms: 0, end_ms: 10, caption: "", keyframe: null };
    const state = fold(snapshot(wire("w", 0, 40, { depth: 2, children: [child] }), wire("a", 40, 50)));
    expect(findCited(state, cited("a", 40, 50))?.id).toBe("a");
    expect(findCited(state, cited("c"))?.id).toBe("w");
    expect(findCited(state, cited("part of a part", 20, 30))?.id).toBe("w");
    expect(findCited(state, cited("forgotten", 60, 70))).toBeNull();
    expect(findCited(state, cited("forgotten", 42, 48))).toBeNull();
  });
});

it("names each picture of an event once, in the order of time", () => {
  const state = fold(snapshot(wire("w", 0, 40, { keyframes: [{ id: "k2", at_ms: 20 }], children: [{ id: "c", start_ms: 0, end_ms: 9, caption: "", keyframe: { id: "k1", at_ms: 2 } }, { id: "d", start_ms: 9, end_ms: 40, caption: "", keyframe: { id: "k2", at_ms: 20 } }] })));
  expect(pictures(state.events.get("w")!).map((k) => k.id)).toEqual(["k1", "k2"]);
  expect(keyframeIds(state)).toEqual(new Set(["k1", "k2"]));
});
