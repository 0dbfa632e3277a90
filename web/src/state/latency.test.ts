// SPDX-License-Identifier: MIT OR Apache-2.0
import { describe, expect, it } from "vitest";
import type { ResponseLatency } from "../client";
import { type Loose, whole } from "../client/testing";
import { LatencyHistory, breakdown as read, formatMs, reducedText } from "./latency";

const breakdown = (event: Loose<ResponseLatency>) => read(whole<ResponseLatency>(event));

describe("breakdown", () => {
  it("accounts for every millisecond of the total, once", () => {
    const b = breakdown({ type: "response.latency", vad_end_ms: 300, asr_ms: 200, perceive_ms: null, prefill_ms: 80, first_token_ms: 100, total_ms: 700, budget_ms: 1000 });
    expect(b.otherMs + b.stages.reduce((sum, s) => sum + s.ownMs, 0)).toBe(b.totalMs);
    expect(b.stages.find((s) => s.stage === "perceive")).toEqual({ stage: "perceive", ms: 0, ownMs: 0, budgetMs: null });
    // The first token counts from the prompt, as prefill does: only the rest is its own.
    expect(b.stages.find((s) => s.stage === "first_token")).toMatchObject({ ms: 100, ownMs: 20 });
  });

  it("takes budgets per stage from servers that send them", () => {
    const b = breakdown({ type: "response.latency", asr_ms: 500, total_ms: 500, budget_ms: 1000, budgets_ms: { asr: 400 } });
    expect(b.stages.map((s) => s.budgetMs)).toEqual([null, 400, null, null, null, null]);
  });

  it("draws nonsense as nothing", () => {
    const b = breakdown({ type: "response.latency", asr_ms: Number.NaN, prefill_ms: -5, perceive_ms: null, total_ms: null, budget_ms: -1 });
    expect([b.totalMs, b.budgetMs, b.otherMs]).toEqual([0, 0, 0]);
  });
});

describe("LatencyHistory", () => {
  it("keeps the last ten and knows their median", () => {
    const history = new LatencyHistory();
    expect(history.medianMs).toBeNull();
    for (let n = 1; n <= 25; n += 1) history.add(breakdown({ type: "response.latency", total_ms: n * 10, budget_ms: 1000 }));
    expect(history.all).toHaveLength(10);
    expect(history.medianMs).toBe(205);
    expect(history.last?.totalMs).toBe(250);
  });
});

it("says what the server gives up, also for steps that are new", () => {
  expect([undefined, "full"].map(reducedText)).toEqual([null, null]);
  for (const step of ["fewer_frames", "refuse_sessions", "something_new"]) expect(reducedText(step)).toMatch(/server/);
});

it("writes times as people read them", () => {
  expect([0, 640.4, 1240, 12340].map(formatMs)).toEqual(["0 ms", "640 ms", "1.24 s", "12.3 s"]);
});
