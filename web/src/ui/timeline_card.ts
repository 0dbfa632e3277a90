// SPDX-License-Identifier: MIT OR Apache-2.0
import { type Keyframe, type MemoryEvent, type MemoryState, pictures } from "../state/memory";
import { formatDuration, formatSpan, formatTime } from "../state/timeline_scale";
import { confirming } from "./confirm";
import { Keyed, h, setText, show } from "./dom";
import { icon } from "./icons";
import type { Thumbs } from "./thumbs";

const TIER_WORDS: Record<MemoryEvent["tier"], string> = { open: "Going on now", episodic: "Event", long_term: "Long-term" };

interface Line {
  key: string;
  atMs: number;
  who: string;
  text: string;
}

export interface Card {
  readonly element: HTMLDialogElement;
  /** Shows an event, at one of its pictures when one is named. */
  open(state: MemoryState, event: MemoryEvent, keyframe?: string): void;
  update(state: MemoryState): void;
}

/** One event in full: its pictures, when it was, what was said, and what it was merged from. */
export function card(thumbs: Thumbs, forget: (startMs: number, endMs: number) => void): Card {
  const large = h("img", { class: "card-picture", alt: "", draggable: false });
  const stamp = h("span", { class: "card-stamp" });
  const blank = h("div", { class: "card-blank" }, icon("picture"), "No picture was kept");
  const button = (name: "left" | "right" | "end", label: string, act: () => void, cls = "icon-button") => {
    const made = h("button", { class: cls, type: "button", title: label, attrs: { "aria-label": label } }, icon(name));
    made.addEventListener("click", act);
    return made;
  };
  const row = h("div", { class: "card-row", attrs: { role: "group", "aria-label": "Pictures" } });
  const [tier, span, when] = [h("span", { class: "card-tier" }), h("span", { class: "card-span" }), h("span", { class: "card-when" })];
  const caption = h("h2", { class: "card-caption", id: "card-caption" });
  const [said, saidTitle] = [h("ul", { class: "card-said" }), h("h3", { class: "card-title" }, "Said")];
  const [parts, partsTitle] = [h("ul", { class: "card-parts" }), h("h3", { class: "card-title" })];
  const gone = h("p", { class: "card-gone" }, "This has been forgotten.");
  const [before, after] = [button("left", "Event before", () => walk(-1)), button("right", "Event after", () => walk(1))];
  const position = h("span", { class: "card-position" });
  const forgetThis = confirming("Forget this", "Forget this event?", "Forget", () => shown && forget(shown.startMs, shown.endMs), "forget-event");
  const view = h("div", { class: "card-view" }, large, blank, stamp);
  const element = h("dialog", { class: "memory-card", attrs: { "aria-labelledby": "card-caption" } },
    h("div", { class: "card-media" }, view, row),
    h("div", { class: "card-words" },
      h("div", { class: "card-head" }, tier, span, button("end", "Close", () => element.close(), "icon-button card-close")),
      caption, when, gone, h("div", { class: "card-lists" }, saidTitle, said, partsTitle, parts),
      h("div", { class: "card-foot" }, before, position, after, h("span", { class: "spring" }), forgetThis)));
  let state: MemoryState | null = null;
  let shown: MemoryEvent | null = null;
  let chosen: string | null = null;

  const pictureButtons = new Keyed<Keyframe>(row, (k) => k.id, (k) => {
    const made = h("button", { class: "card-thumb", type: "button" }, h("img", { alt: "", draggable: false }));
    made.addEventListener("click", () => choose(k.id));
    return made;
  }, (made, k) => {
    made.setAttribute("aria-label", `Picture at ${formatTime(k.atMs)}`);
    made.setAttribute("aria-pressed", String(k.id === chosen));
    thumbs.show(made.firstElementChild as HTMLImageElement, k.id);
  });
  const lines = new Keyed<Line>(said, (l) => l.key, () => h("li", {}, h("span", { class: "said-at" }), h("span", { class: "said-who" }), h("span", { class: "said-text" })), (made, l) => {
    const [at, who, text] = [...made.children] as [Element, Element, Element];
    setText(at, formatTime(l.atMs));
    setText(who, l.who);
    setText(text, l.text);
  });
  const partRows = new Keyed<MemoryEvent["children"][number]>(parts, (c) => c.id, (c) => {
    const made = h("button", { class: "card-part", type: "button" }, h("img", { alt: "", draggable: false }), h("span", { class: "part-words" }, h("span", { class: "part-span" }), h("span", { class: "part-caption" })));
    made.addEventListener("click", () => choose(made.dataset["keyframe"] ?? null));
    return h("li", { data: { id: c.id } }, made);
  }, (item, c) => {
    const made = item.firstElementChild as HTMLButtonElement;
    const [image, words] = [made.firstElementChild as HTMLImageElement, made.lastElementChild as HTMLElement];
    made.disabled = c.keyframe === null;
    made.classList.toggle("chosen", c.keyframe !== null && c.keyframe.id === chosen);
    image.classList.toggle("none", c.keyframe === null);
    if (c.keyframe) {
      made.dataset["keyframe"] = c.keyframe.id;
      thumbs.show(image, c.keyframe.id);
    }
    setText(words.firstElementChild as Element, formatSpan(c.startMs, c.endMs));
    setText(words.lastElementChild as Element, c.caption || "Nothing named");
  });

  function choose(id: string | null): void {
    chosen = id;
    draw();
  }

  function walk(step: number): void {
    if (!state || !shown) return;
    const next = state.events.get(state.order[state.order.indexOf(shown.id) + step] ?? "");
    if (next) open(state, next);
  }

  function open(now: MemoryState, event: MemoryEvent, keyframe?: string): void {
    [state, shown, chosen] = [now, event, keyframe ?? null];
    if (!element.open) element.showModal();
    draw();
  }

  function draw(): void {
    if (!state || !shown) return;
    const here = state.events.get(shown.id);
    const event = here ?? shown;
    // What was forgotten is not shown a moment longer.
    const all = here ? pictures(event) : [];
    const picture = all.find((k) => k.id === chosen) ?? all[Math.floor((all.length - 1) / 2)];
    chosen = picture?.id ?? null;
    show(large, picture !== undefined);
    show(blank, picture === undefined);
    show(stamp, picture !== undefined);
    if (picture) thumbs.show(large, picture.id);
    setText(stamp, picture ? formatTime(picture.atMs) : "");
    pictureButtons.render(all.length > 1 ? all : []);
    show(row, all.length > 1);
    element.dataset["tier"] = event.tier;
    element.dataset["event"] = event.id;
    setText(tier, event.depth > 0 ? `${TIER_WORDS[event.tier]} · merged ${event.depth}×` : TIER_WORDS[event.tier]);
    setText(span, `[${formatSpan(event.startMs, event.endMs)}]`);
    setText(when, whenWords(state.startedUnixMs, event));
    setText(caption, here ? event.caption || "Nothing named" : "Forgotten");
    lines.render(here ? event.said.map((s, n) => ({ key: String(n), atMs: s.atMs, who: s.who === "person" ? "You" : "Sightline", text: s.text })) : []);
    partRows.render(here && event.children.length > 1 ? event.children : []);
    setText(partsTitle, `Merged from ${event.children.length} parts`);
    for (const [title, wanted] of [[saidTitle, here && event.said.length > 0], [partsTitle, here && event.children.length > 1]] as const) show(title, Boolean(wanted));
    show(gone, !here);
    show(forgetThis, here !== undefined);
    const at = state.order.indexOf(event.id);
    before.disabled = at <= 0;
    after.disabled = at < 0 || at >= state.order.length - 1;
    setText(position, at < 0 ? "" : `${at + 1} of ${state.order.length}`);
    shown = event;
  }

  element.addEventListener("click", (e) => e.target === element && element.close());
  element.addEventListener("keydown", (e) => {
    if (e.key === "ArrowLeft" || e.key === "ArrowRight") walk(e.key === "ArrowLeft" ? -1 : 1);
  });
  element.addEventListener("close", () => (shown = null));
  return {
    element,
    open,
    update(now) {
      if (!element.open || !shown || now === state) return;
      const merge = now.events.has(shown.id) ? undefined : now.merges.findLast((m) => m.from.includes(shown?.id ?? ""));
      state = now;
      // What is shown became part of another event: that one is shown, at the same picture.
      shown = (merge && now.events.get(merge.into)) ?? shown;
      draw();
    },
  };
}

/** When it was on the clock of the wall, and how long. */
function whenWords(startedUnixMs: number | null, event: MemoryEvent): string {
  const long = event.tier === "open" ? "still going on" : formatDuration(event.endMs - event.startMs);
  if (startedUnixMs === null) return long;
  const at = new Date(startedUnixMs + event.startMs);
  return `${at.toLocaleString(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" })} · ${long}`;
}
