// SPDX-License-Identifier: MIT OR Apache-2.0
import { type Citation, type MemoryState, NOTHING, bytesInMemory, findCited, keyframeIds } from "../state/memory";
import { formatBytes, formatDuration } from "../state/timeline_scale";
import { confirming } from "./confirm";
import { h, setText, show } from "./dom";
import { type IconName, icon } from "./icons";
import type { Thumbs } from "./thumbs";
import { card } from "./timeline_card";
import { steer, zoomBy } from "./timeline_input";
import { type Mode, Strip } from "./timeline_strip";
import { tierMeters, watchList } from "./timeline_tiers";
import { watchForm } from "./watch_form";
import { type Actions, type Part, type View, inSession, isLive } from "./view";

/** Without news, the page's own clock goes on for this long. */
const AHEAD_MS = 2500;
/** A view that an answer has moved goes back to now after this long, if nobody took hold of it. */
const BACK_MS = 9000;
const FORGET_MS = 5 * 60 * 1000;

/** What is remembered, as a strip of time: the page's window into the server's memory. */
export function timeline(actions: Actions, thumbs: Thumbs, now: () => number): Part {
  let state: MemoryState = NOTHING;
  const detail = card(thumbs, (startMs, endMs) => actions.forget({ startMs, endMs }));
  const strip = new Strip(thumbs, { open: (event) => detail.open(state, event), changed: () => buttons() }, now);
  steer(strip);

  const tool = (name: IconName, label: string, id: string, act: () => void) => {
    const button = h("button", { class: "tool", type: "button", id, title: label, attrs: { "aria-label": label } }, icon(name));
    button.addEventListener("click", act);
    return button;
  };
  const fitButton = tool("fit", "Show all of memory", "memory-fit", () => strip.fit());
  const nowButton = tool("now", "Follow now", "memory-now", () => strip.followNow());
  const tools = h("div", { class: "memory-tools", attrs: { role: "group", "aria-label": "Zoom" } },
    tool("minus", "Zoom out", "memory-out", () => zoomBy(strip, false)), tool("plus", "Zoom in", "memory-in", () => zoomBy(strip, true)), fitButton, nowButton);
  const [long, count, bytes] = [h("span", {}), h("span", { class: "memory-count" }), h("span", {})];
  const summary = h("span", { class: "memory-summary" }, long, count, bytes);
  const watches = watchList((id) => actions.unwatch(id));
  const lookOut = watchForm((condition) => actions.watchFor(condition));
  const head = h("div", { class: "memory-head" }, h("h2", { class: "memory-title" }, "Memory"), summary, lookOut.element, watches.element, h("span", { class: "spring" }), tools);
  const empty = h("p", { class: "memory-empty" }, icon("picture"), h("span", {}, "Nothing remembered yet"));
  const stage = h("div", { class: "memory-stage" }, strip.element, empty);
  const keys = h("p", { class: "visually-hidden", id: "strip-keys" }, "Arrow keys choose, Enter opens, plus and minus zoom, shift with arrows moves, 0 shows all, n follows now.");
  const meters = tierMeters();
  const forget = h("div", { class: "memory-forget" },
    confirming("Forget last 5 min", "Forget the last 5 minutes?", "Forget", () => actions.forget({ lastMs: FORGET_MS }), "forget-last"),
    confirming("Forget everything", "Forget everything, for good?", "Forget all", () => actions.forget("all"), "forget-all"));
  const more = h("button", { class: "tool memory-more", type: "button", id: "memory-more", title: "Memory in use", attrs: { "aria-label": "Memory in use, and forgetting", "aria-expanded": "false" } }, icon("more"));
  tools.append(more);
  const foot = h("div", { class: "memory-foot" }, meters.element, forget);
  const said = h("div", { class: "visually-hidden", attrs: { role: "status" } });
  const element = h("section", { class: "card memory", hidden: true, attrs: { "aria-label": "Memory" } }, head, stage, keys, foot, said, detail.element);
  more.addEventListener("click", () => more.setAttribute("aria-expanded", String(element.classList.toggle("more"))));

  let heard = { nowMs: -1, at: 0 };
  let running = false;
  let seenCited = NOTHING.cited;
  let seenOpened = 0;
  let seenForgets = 0;
  let marked: readonly Citation[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let back: ReturnType<typeof setTimeout> | undefined;
  for (const name of ["pointerdown", "wheel", "keydown"] as const) element.addEventListener(name, () => clearTimeout(back), { passive: true });

  function buttons(): void {
    const pressed = (button: HTMLElement, mode: Mode) => button.setAttribute("aria-pressed", String(strip.mode === mode));
    pressed(fitButton, "fit");
    pressed(nowButton, "follow");
  }

  const memoryNow = () => heard.nowMs + (running ? Math.min(AHEAD_MS, now() - heard.at) : 0);

  /** Lets time pass on the strip: as often as it moves by a pixel or two, and not at all while it stands or is hidden. */
  function tick(): void {
    clearTimeout(timer);
    if (!running || element.hidden) return;
    timer = setTimeout(() => {
      if (!document.hidden) draw();
      tick();
    }, Math.min(1000, Math.max(100, 1500 / strip.pxPerSecond)));
  }

  function draw(): void {
    const at = Math.max(0, memoryNow());
    strip.update(state, at);
    show(summary, state.events.size > 0);
    setText(long, formatDuration(at));
    setText(count, `${state.events.size} ${state.events.size === 1 ? "event" : "events"}`);
    setText(bytes, formatBytes(bytesInMemory(state)));
  }

  function cite(view: View): void {
    const opened = view.opened.seq === seenOpened ? null : view.opened.citation;
    const fresh = state.cited !== seenCited || opened !== null;
    if (fresh) marked = opened ? [opened] : state.cited.list;
    [seenCited, seenOpened] = [state.cited, view.opened.seq];
    // Looked up every time: what was cited may have been merged since.
    const found = marked.map((c) => findCited(state, c)).filter((e) => e !== null);
    strip.mark(found.map((e) => e.id));
    const [event] = found;
    if (!fresh || !event) return;
    const before = strip.mode;
    strip.reveal(event);
    clearTimeout(back);
    if (before === "follow" && !opened) back = setTimeout(() => !detail.element.open && strip.followNow(), BACK_MS);
    if (opened) detail.open(state, event, opened.keyframes[0]);
    else setText(said, `The answer rests on ${found.length === 1 ? "a remembered event" : `${found.length} remembered events`}.`);
  }

  return {
    element,
    update(view) {
      const known = view.memory.memoryId !== null || view.memory.events.size > 0;
      show(element, known && (inSession(view.status) || view.memory.events.size > 0));
      running = isLive(view.status) && known;
      if (view.memory === state && view.opened.seq === seenOpened) return tick();
      const fresh = view.memory.memoryId !== state.memoryId;
      const changed = view.memory.events !== state.events;
      const forgotten = view.memory.forgets !== seenForgets;
      state = view.memory;
      seenForgets = state.forgets;
      if (fresh || state.nowMs !== heard.nowMs) heard = { nowMs: state.nowMs, at: now() };
      if (changed) thumbs.retain(keyframeIds(state));
      if (forgotten) setText(said, "Forgotten.");
      show(empty, state.events.size === 0);
      element.classList.toggle("is-empty", state.events.size === 0);
      draw();
      cite(view);
      meters.update(state);
      watches.update(state.watches);
      lookOut.update(isLive(view.status));
      more.dataset["watches"] = state.watches.length > 0 ? String(state.watches.length) : "";
      detail.update(state);
      for (const button of forget.querySelectorAll("button")) button.disabled = !isLive(view.status);
      buttons();
      tick();
    },
  };
}
