// SPDX-License-Identifier: MIT OR Apache-2.0
import { describe, expect, it } from "vitest";
import {
  AHEAD_PX, CLOSEST, type Scale, USUAL, between, blocksOf, clamp, fit, follow, formatBytes, formatDuration, formatSpan, formatTime, pan, reveal, spread, ticks, toMs, toX, visible, zoomAt,
} from "./timeline_scale";

const HOUR = 3600_000;
const bounds = { width: 1000, nowMs: HOUR };

describe("the scale", () => {
  it("shows all of memory in the width there is", () => {
    const scale = fit(bounds);
    expect(toX(scale, 0)).toBe(0);
    expect(toX(scale, HOUR)).toBeCloseTo(1000 - AHEAD_PX);
    expect(fit({ width: 1000, nowMs: 0 }).msPerPx).toBe(CLOSEST);
    expect(fit({ width: 0, nowMs: 10 }).msPerPx).toBeGreaterThan(0);
  });

  it("keeps now at the right edge, or the start at the left while memory is short", () => {
    expect(toX(follow(USUAL, bounds), HOUR)).toBeCloseTo(1000 - AHEAD_PX);
    expect(follow(USUAL, { width: 1000, nowMs: 5000 })).toEqual({ startMs: 0, msPerPx: USUAL });
  });

  it("zooms around the pointer", () => {
    const scale = { startMs: HOUR / 2, msPerPx: 100 };
    const closer = zoomAt(scale, 2, 300, bounds);
    expect(closer.msPerPx).toBe(50);
    expect(toMs(closer, 300)).toBeCloseTo(toMs(scale, 300));
    expect(zoomAt(closer, 0.5, 300, bounds).startMs).toBeCloseTo(scale.startMs);
  });

  it("goes neither too close, nor too far, nor out of memory", () => {
    const scale = { startMs: 0, msPerPx: 100 };
    expect(zoomAt(scale, 1e9, 0, bounds).msPerPx).toBe(CLOSEST);
    expect(zoomAt(scale, 1e-9, 0, bounds)).toEqual(fit(bounds));
    expect(pan(scale, -500, bounds).startMs).toBe(0);
    expect(pan(scale, 1e9, bounds)).toEqual(follow(100, bounds));
    expect(clamp({ startMs: -5, msPerPx: 100 }, { width: 1000, nowMs: 0 })).toEqual({ startMs: 0, msPerPx: 100 });
  });

  it("brings a stretch into view, and stays when it is well visible", () => {
    const scale = { startMs: 0, msPerPx: 100 };
    expect(reveal(scale, 20000, 40000, bounds)).toBe(scale);
    const far = reveal(scale, HOUR / 2, HOUR / 2 + 20000, bounds);
    expect(far.msPerPx).toBe(100);
    expect(toX(far, HOUR / 2 + 10000)).toBeCloseTo(500);
    expect(20000 / reveal(fit(bounds), HOUR / 2, HOUR / 2 + 20000, bounds).msPerPx).toBeGreaterThan(64);
    expect(HOUR / 2 / reveal(scale, 0, HOUR / 2, bounds).msPerPx).toBeLessThanOrEqual(701);
  });

  it("glides from one to another, and ends there", () => {
    const [from, to]: [Scale, Scale] = [{ startMs: 0, msPerPx: 100 }, { startMs: 1000, msPerPx: 25 }];
    expect(between(from, to, 0)).toEqual(from);
    expect(between(from, to, 1)).toEqual(to);
    expect(between(from, to, 0.5).msPerPx).toBeCloseTo(50);
    expect(between(from, { startMs: 1000, msPerPx: 100 }, 0.25).startMs).toBe(250);
  });
});

describe("the axis", () => {
  it("has marks at even times that do not crowd", () => {
    for (const msPerPx of [8, 50, 100, 1000, 20000, 400000]) {
      const found = ticks({ startMs: 12345, msPerPx }, 1000);
      expect(found.length, String(msPerPx)).toBeGreaterThan(1);
      expect(found.length, String(msPerPx)).toBeLessThanOrEqual(12);
      expect(found.every((t) => t.ms % 1000 === 0)).toBe(true);
    }
  });

  it("says seconds when close and minutes when far", () => {
    expect(ticks({ startMs: 0, msPerPx: 100 }, 300).map((t) => t.label)).toEqual(["0:00", "0:10", "0:20", "0:30"]);
    expect(ticks({ startMs: HOUR, msPerPx: 100 }, 100)[0]?.label).toBe("1:00:00");
    expect(ticks({ startMs: 0, msPerPx: 15000 }, 400).map((t) => t.label)).toEqual(["0 min", "30 min", "1 h", "1 h 30"]);
  });
});

it("formats times, lengths and sizes", () => {
  expect([0, 999, 1000, 724000, 36610000, -5, Number.NaN].map(formatTime)).toEqual(["00:00:00", "00:00:00", "00:00:01", "00:12:04", "10:10:10", "00:00:00", "00:00:00"]);
  expect(formatSpan(724000, 739500)).toBe("00:12:04–00:12:19");
  expect([0, 8400, 60000, 185000, 45 * 60000, 3900000].map(formatDuration)).toEqual(["0 s", "8 s", "1 min", "3 min 05 s", "45 min", "1 h 05 min"]);
  expect([0, 812, 999.6, 14200, 9.31e6, 999999, 150e6, 2.5e9, -1, Number.NaN].map(formatBytes)).toEqual(["0 B", "812 B", "1 kB", "14 kB", "9.3 MB", "1.0 MB", "150 MB", "2.5 GB", "0 B", "0 B"]);
});

describe("blocks", () => {
  const events = (count: number, long: number, tier = "episodic") => Array.from({ length: count }, (_, n) => ({ id: `e${n}`, tier, startMs: n * long, endMs: (n + 1) * long }));

  it("are the events when there is room, and groups when there is not", () => {
    expect(blocksOf(events(5, 10000), 100).map((b) => b.key)).toEqual(["e:e0", "e:e1", "e:e2", "e:e3", "e:e4"]);
    const groups = blocksOf(events(600, 10000), 6000);
    expect(groups.length).toBeLessThan(30);
    expect(groups.reduce((sum, b) => sum + b.events.length, 0)).toBe(600);
  });

  it("stay the same when more is remembered, but for the newest", () => {
    const before = blocksOf(events(300, 10000), 2000);
    const after = blocksOf(events(340, 10000), 2000);
    expect(after.slice(0, before.length - 1)).toEqual(before.slice(0, -1));
  });

  it("join neither across tiers nor across a gap that can be seen", () => {
    const mixed = [...events(4, 1000, "long_term"), ...events(8, 1000).slice(4)];
    expect(blocksOf(mixed, 1000).map((b) => b.events.length)).toEqual([4, 4]);
    const apart = [{ id: "a", tier: "t", startMs: 0, endMs: 1000 }, { id: "b", tier: "t", startMs: 20000, endMs: 21000 }];
    expect(blocksOf(apart, 1000)).toHaveLength(2);
  });

  it("are found by time", () => {
    const all = blocksOf(events(100, 10000), 100);
    expect(visible(all, 25000, 44000)).toEqual([2, 5]);
    expect(visible(all, -10, -5)).toEqual([0, 0]);
    expect(visible(all, 1e9, 2e9)).toEqual([100, 100]);
    expect(visible([], 0, 1)).toEqual([0, 0]);
  });

  it("take pictures evenly", () => {
    expect(spread([1, 2, 3, 4, 5, 6], 3)).toEqual([2, 4, 6]);
    expect(spread([1, 2], 5)).toEqual([1, 2]);
    expect(spread([1], 0)).toEqual([]);
  });
});
