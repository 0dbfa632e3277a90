// SPDX-License-Identifier: MIT OR Apache-2.0
import { type ResponseLatency, STAGES, type Stage } from "../client";

/** What the stages are called on the page. */
export const STAGE_NAMES: Record<Stage, string> = {
  vad_end: "End of speech",
  asr: "Speech to text",
  recall: "Remembering",
  perceive: "Looking",
  prefill: "Reading the prompt",
  first_token: "Prompt to first word",
};

export interface StageTime {
  stage: Stage;
  /** As the server measured it. */
  ms: number;
  /** The part of it that no stage before accounts for: what the stacked bar shows. */
  ownMs: number;
  /** What it may take; null when the server did not say. */
  budgetMs: number | null;
}

/** Where the time of one answer went. */
export interface Breakdown {
  stages: StageTime[];
  totalMs: number;
  budgetMs: number;
  /** Time of the total that no stage accounts for. */
  otherMs: number;
}

const finite = (v: unknown): number => (typeof v === "number" && Number.isFinite(v) && v > 0 ? v : 0);

/** Reads an event. Figures that make no sense count as 0, so that a chart can always be drawn. */
export function breakdown(event: ResponseLatency): Breakdown {
  const stages = STAGES.map((stage): StageTime => {
    const ms = finite(event[`${stage}_ms`]);
    // Both count from the handing over of the prompt.
    const ownMs = stage === "first_token" ? Math.max(0, ms - finite(event.prefill_ms)) : ms;
    return { stage, ms, ownMs, budgetMs: finite(event.budgets_ms?.[stage]) || null };
  });
  const sum = stages.reduce((total, s) => total + s.ownMs, 0);
  const totalMs = finite(event.total_ms) || sum;
  return { stages, totalMs, budgetMs: finite(event.budget_ms), otherMs: Math.max(0, totalMs - sum) };
}

/** The last answers, oldest first. */
export class LatencyHistory {
  private readonly list: Breakdown[] = [];

  constructor(private readonly size = 10) {}

  get all(): readonly Breakdown[] {
    return this.list;
  }

  get last(): Breakdown | null {
    return this.list.at(-1) ?? null;
  }

  add(entry: Breakdown): void {
    this.list.push(entry);
    if (this.list.length > this.size) this.list.shift();
  }

  /** The middle value of the totals, or null before the first answer. */
  get medianMs(): number | null {
    if (this.list.length === 0) return null;
    const totals = this.list.map((b) => b.totalMs).sort((a, b) => a - b);
    const mid = totals.length >> 1;
    const upper = totals[mid] ?? 0;
    return totals.length % 2 === 1 ? upper : ((totals[mid - 1] ?? 0) + upper) / 2;
  }
}

const STEPS: Readonly<Record<string, string>> = {
  fewer_frames: "To keep up, the server looks less often",
  fewer_experts: "To keep up, the server looks less often and less closely",
  shallower_memory: "To keep up, the server looks less closely and remembers less",
  shorter_answers: "To keep up, the server looks less closely and answers more briefly",
  refuse_sessions: "The server is at its limit",
};

/** What a step of the server's ladder means for the user; null when nothing is given up. */
export function reducedText(step: string | undefined): string | null {
  if (step === undefined || step === "full") return null;
  return STEPS[step] ?? "To keep up, the server does less";
}

/** `640 ms`, `1.2 s`. */
export function formatMs(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`;
}
