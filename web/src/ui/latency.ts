// SPDX-License-Identifier: MIT OR Apache-2.0
import { type Breakdown, STAGE_NAMES, formatMs } from "../state/latency";
import { Keyed, h, setText, show, svg } from "./dom";
import type { Part } from "./view";

const WIDTH = 132;
const HEIGHT = 36;
const SLOTS = 10;

/** Ten columns, the newest at the right, with the budget as a line. */
function drawHistory(chart: SVGElement, all: readonly Breakdown[]): void {
  const budget = all.at(-1)?.budgetMs ?? 0;
  const top = Math.max(budget * 1.15, ...all.map((b) => b.totalMs), 1);
  const y = (ms: number) => HEIGHT - (ms / top) * HEIGHT;
  const step = WIDTH / SLOTS;
  const bars = all.map((b, n) => {
    const x = (SLOTS - all.length + n) * step + 2;
    const over = b.budgetMs > 0 && b.totalMs > b.budgetMs;
    const height = Math.max(2, HEIGHT - y(b.totalMs));
    return svg("rect", { x, y: HEIGHT - height, width: step - 4, height, rx: 2, class: over ? "over" : "" });
  });
  const line = svg("line", { x1: 0, x2: WIDTH, y1: y(budget), y2: y(budget), class: "budget-line" });
  chart.replaceChildren(...bars, ...(budget > 0 ? [line] : []));
}

interface Row {
  key: string;
  name: string;
  ms: number;
  budgetMs: number | null;
}

/** The stages, and what none of them accounts for when it is more than noise. */
function rowsOf(last: Breakdown): Row[] {
  const rows = last.stages.map((s): Row => ({ key: s.stage, name: STAGE_NAMES[s.stage], ms: s.ms, budgetMs: s.budgetMs }));
  if (last.otherMs > last.totalMs * 0.03) rows.push({ key: "other", name: "Everything else", ms: last.otherMs, budgetMs: null });
  return rows;
}

function makeSegment(stage: { key: string; share: number }): HTMLElement {
  return h("i", { class: "segment", data: { stage: stage.key } });
}

function makeRow(row: Row): HTMLElement {
  return h(
    "li",
    { class: "stage-row", data: { stage: row.key } },
    h("span", { class: "stage-swatch" }),
    h("span", { class: "stage-name" }, row.name),
    h("span", { class: "stage-bar" }, h("i", {})),
    h("span", { class: "stage-ms" }),
  );
}

function updateRow(element: HTMLElement, time: Row): void {
  const over = time.budgetMs !== null && time.ms > time.budgetMs;
  element.classList.toggle("over", over);
  element.classList.toggle("absent", time.ms === 0);
  const words = time.ms === 0 ? "–" : formatMs(time.ms);
  const value = element.querySelector(".stage-ms");
  if (value) setText(value, time.budgetMs === null ? words : `${words} / ${formatMs(time.budgetMs)}`);
  const bar = element.querySelector<HTMLElement>(".stage-bar");
  if (!bar) return;
  bar.classList.toggle("unknown", time.budgetMs === null);
  bar.style.setProperty("--fill", String(Math.min(1, time.budgetMs === null ? 0 : time.ms / time.budgetMs)));
}

/** Where the time of the last answer went, against the budget, and the last ten. */
export function latency(): Part {
  const total = h("strong", { class: "latency-total" });
  const against = h("span", { class: "latency-against" });
  const chart = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "history", role: "img" });
  const segments = h("div", { class: "segments" });
  const mark = h("div", { class: "budget-mark", title: "Budget" });
  const bar = h("div", { class: "latency-bar", attrs: { role: "img" } }, segments, mark);
  const rows = h("ul", { class: "stage-rows" });
  const details = h("details", { class: "latency-details", open: matchMedia("(min-width: 900px) and (min-height: 960px)").matches }, h("summary", {}, "Stages"), rows);
  const empty = h("p", { class: "latency-empty" }, "Ask something, and see here where the time goes.");
  const figures = h("div", { class: "latency-figures" }, h("span", { class: "latency-title" }, "Model's first word after"), h("span", { class: "latency-value" }, total, against));
  const head = h("div", { class: "latency-head" }, figures, chart);
  const element = h("section", { class: "card latency", attrs: { "aria-label": "Answer time" } }, head, empty, bar, details);
  const reduced = h("p", { class: "latency-reduced" });
  element.append(reduced);
  const keyedSegments = new Keyed<{ key: string; share: number }>(segments, (s) => s.key, makeSegment, (e, s) => (e.style.width = `${s.share * 100}%`));
  const keyedRows = new Keyed<Row>(rows, (r) => r.key, makeRow, updateRow);
  let drawn: Breakdown | null = null;
  return {
    element,
    update(view) {
      const last = view.latency;
      setText(reduced, view.reduced ?? "");
      show(reduced, view.reduced !== null);
      element.classList.toggle("unused", last === null);
      show(head, last !== null);
      show(empty, last === null);
      show(bar, last !== null);
      show(details, last !== null);
      if (last === drawn) return;
      drawn = last;
      if (!last) return;
      const over = last.budgetMs > 0 && last.totalMs > last.budgetMs;
      element.classList.toggle("over", over);
      setText(total, formatMs(last.totalMs));
      setText(against, last.budgetMs > 0 ? `of ${formatMs(last.budgetMs)}` : "");
      const scale = Math.max(last.totalMs, last.budgetMs * 1.08, ...[last.stages.reduce((sum, s) => sum + s.ownMs, 0)]) || 1;
      const shares = [...last.stages.map((s) => ({ key: s.stage as string, share: s.ownMs / scale })), { key: "other", share: last.otherMs / scale }];
      keyedSegments.render(shares.filter((s) => s.share > 0));
      show(mark, last.budgetMs > 0);
      mark.style.left = `${(last.budgetMs / scale) * 100}%`;
      bar.setAttribute("aria-label", `Model's first word after ${formatMs(last.totalMs)}, budget ${formatMs(last.budgetMs)}`);
      keyedRows.render(rowsOf(last));
      drawHistory(chart, view.history.all);
      const median = view.history.medianMs;
      chart.setAttribute("aria-label", `Last ${view.history.all.length} answers, median ${formatMs(median ?? 0)}`);
    },
  };
}
