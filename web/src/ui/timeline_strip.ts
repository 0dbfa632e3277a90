// SPDX-License-Identifier: MIT OR Apache-2.0
import { type MemoryEvent, type MemoryState, pictures } from "../state/memory";
import {
  AHEAD_PX, NARROW_PX, type Block, type Bounds, type Scale, USUAL, between, blocksOf, clamp, fit, follow, formatDuration, formatSpan, reveal, spread, ticks, toMs, toX, visible,
} from "../state/timeline_scale";
import { Keyed, h, setText, show } from "./dom";
import { mergeOf } from "./timeline_merge";
import type { Thumbs } from "./thumbs";

/** `follow` keeps now in view, `fit` all of memory, `free` is where the user has gone. */
export type Mode = "follow" | "fit" | "free";

export interface StripHooks {
  open(event: MemoryEvent): void;
  changed(): void;
}

/** Blocks are drawn this far beyond the edges, so that a small move needs no new ones. */
const BEYOND_PX = 160;
/** Positions count from an origin that moves along, since a day at full zoom is more pixels than a browser counts well. */
const ORIGIN_PX = 20000;
const MOVE_MS = 260;
/** Wider than this, a block says what it holds. */
const CAPTION_PX = 64;
const PICTURE_PX = 74;

type Drawn = Block<MemoryEvent>;

export const still = (): boolean => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** The axis with its blocks. Draws what is in view, once per frame at most. */
export class Strip {
  readonly track = h("div", { class: "strip-track" });
  private readonly ruler = h("div", { class: "strip-ruler", attrs: { "aria-hidden": "true" } });
  private readonly rails = h("div", { class: "strip-rails", attrs: { "aria-hidden": "true" } });
  private readonly nowLine = h("div", { class: "strip-now", attrs: { "aria-hidden": "true" } }, h("i", {}));
  readonly element = h("div", {
    class: "strip", tabIndex: 0,
    attrs: { role: "listbox", "aria-label": "What is remembered, oldest first", "aria-orientation": "horizontal", "aria-describedby": "strip-keys" },
  }, this.track);
  private readonly marks: Keyed<{ ms: number; label: string }>;
  private readonly bands: Keyed<{ tier: string; startMs: number; endMs: number }>;
  private readonly drawn = new Map<string, { element: HTMLElement; block: Drawn }>();

  mode: Mode = "follow";
  private scale: Scale = { startMs: 0, msPerPx: USUAL };
  private width = 0;
  private originMs = 0;
  private originScale = 0;
  private state: MemoryState | null = null;
  private events: MemoryEvent[] = [];
  private blocks: Drawn[] = [];
  private laidOut: unknown = null;
  private shownNow = 0;
  private seenMerge = 0;
  private cited: ReadonlySet<string> = new Set();
  /** The time of the event that the keyboard is at; blocks come and go under it. */
  private selectedMs: number | null = null;
  private frame = 0;
  private moving: { from: Scale; to: Scale; since: number } | null = null;

  constructor(
    private readonly thumbs: Thumbs,
    private readonly hooks: StripHooks,
    private readonly clock: () => number,
  ) {
    this.track.append(this.ruler, this.rails, this.nowLine);
    this.marks = new Keyed(this.ruler, (t) => String(t.ms), () => h("span", { class: "strip-tick" }, h("span", {})), (e, t) => {
      setText(e.firstElementChild as Element, t.label);
      this.placeAt(e, t.ms);
    });
    this.bands = new Keyed(this.rails, (b) => b.tier, (b) => h("i", { class: "rail", data: { tier: b.tier } }), (e, b) => this.placeSpan(e, b.startMs, b.endMs));
    new ResizeObserver((entries) => {
      this.width = entries.at(-1)?.contentRect.width ?? this.width;
      this.schedule();
    }).observe(this.element);
  }

  get bounds(): Bounds {
    return { width: Math.max(1, this.width), nowMs: this.shownNow };
  }

  get pxPerSecond(): number {
    return 1000 / this.scale.msPerPx;
  }

  /** Takes in what is remembered, and what time it is there. */
  update(state: MemoryState, nowMs: number): void {
    const fresh = state.memoryId !== this.state?.memoryId;
    if (state.events !== this.state?.events || fresh) this.laidOut = null;
    // The clock of the page may have been ahead of the server's: it waits then, and does not go back.
    this.shownNow = fresh ? nowMs : Math.max(this.shownNow, nowMs);
    if (fresh) {
      this.selectedMs = null;
      this.seenMerge = state.merges.at(-1)?.seq ?? 0;
    }
    this.state = state;
    this.schedule();
  }

  schedule(): void {
    if (this.frame !== 0) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  /** Goes to a scale, in one glide when `smooth`. */
  go(to: Scale, mode: Mode, smooth = false): void {
    const target = clamp(to, this.bounds);
    this.moving = smooth && !still() ? { from: this.scale, to: target, since: this.clock() } : null;
    if (!this.moving) this.scale = target;
    if (mode !== this.mode) {
      this.mode = mode;
      this.hooks.changed();
    }
    this.schedule();
  }

  /** Changes the scale from where it is going to, so that quick keys add up. */
  change(make: (scale: Scale, bounds: Bounds) => Scale, smooth = false): void {
    const before = this.moving?.to ?? this.scale;
    const to = make(before, this.bounds);
    const atNow = toX(to, this.shownNow) <= this.width - AHEAD_PX + 2;
    const longer = toX({ ...to, startMs: 0 }, this.shownNow) > this.width - AHEAD_PX;
    // Who zooms or pans at the newest end wants to stay there.
    this.go(to, atNow && longer ? "follow" : atNow && this.mode === "follow" ? "follow" : "free", smooth);
  }

  fit(): void {
    this.go(fit(this.bounds), "fit", true);
  }

  followNow(): void {
    const msPerPx = Math.min(this.scale.msPerPx, USUAL);
    this.go(follow(msPerPx, this.bounds), "follow", true);
  }

  /** Marks events as what an answer stands on. */
  mark(ids: readonly string[]): void {
    this.cited = new Set(ids);
    this.schedule();
  }

  /** Brings an event into view, and has all marked ones pulse. */
  reveal(event: MemoryEvent): void {
    const target = reveal(this.scale, event.startMs, this.endOf(event), this.bounds);
    if (target !== this.scale) this.go(target, "free", true);
    this.schedule();
    // After the draw that marks them.
    requestAnimationFrame(() => requestAnimationFrame(() => this.pulse()));
  }

  /** Moves the selection by blocks; `Infinity` goes to the newest. */
  select(step: number): void {
    const at = this.selectedMs === null ? (step < 0 ? this.blocks.length : -1) : this.indexOf(this.selectedMs);
    const next = this.selectedMs === null && Number.isFinite(step) ? (this.mode === "free" ? this.firstInView() : this.blocks.length - 1) : at + step;
    const block = this.blocks[Math.max(0, Math.min(this.blocks.length - 1, next))];
    if (!block) return;
    this.selectedMs = (block.startMs + this.blockEnd(block)) / 2;
    const x = [toX(this.scale, block.startMs), toX(this.scale, this.blockEnd(block))] as const;
    if (x[0] < 0 || x[1] > this.width) this.change((scale, bounds) => clamp({ ...scale, startMs: this.selectedMs! - (bounds.width / 2) * scale.msPerPx }, bounds), true);
    this.schedule();
  }

  clearSelection(): void {
    this.selectedMs = null;
    this.schedule();
  }

  /** Opens what is selected: an event as a card, a group by going closer. */
  activate(): void {
    const block = this.selectedMs === null ? undefined : this.blocks[this.indexOf(this.selectedMs)];
    if (block) this.press(block);
  }

  get selecting(): boolean {
    return this.selectedMs !== null;
  }

  /** The block of an element within the strip. */
  pressElement(target: EventTarget | null): void {
    const element = target instanceof Element ? target.closest<HTMLElement>(".event") : null;
    const found = [...this.drawn.values()].find((d) => d.element === element);
    if (!found) return;
    this.selectedMs = (found.block.startMs + this.blockEnd(found.block)) / 2;
    this.press(found.block);
  }

  private press(block: Drawn): void {
    const [only] = block.events;
    if (block.events.length === 1 && only) return this.hooks.open(only);
    const long = (this.blockEnd(block) - block.startMs) * 1.25;
    const msPerPx = Math.max(long / this.bounds.width, 8);
    this.go({ msPerPx, startMs: (block.startMs + this.blockEnd(block)) / 2 - (this.bounds.width / 2) * msPerPx }, "free", true);
    this.schedule();
  }

  private firstInView(): number {
    return visible(this.blocks, this.scale.startMs, toMs(this.scale, this.width))[0];
  }

  private indexOf(ms: number): number {
    const [first] = visible(this.blocks, ms, ms);
    return Math.min(first, this.blocks.length - 1);
  }

  private endOf(event: MemoryEvent): number {
    return event.tier === "open" ? Math.max(event.endMs, this.shownNow) : event.endMs;
  }

  private blockEnd(block: Drawn): number {
    const last = block.events.at(-1);
    return last?.tier === "open" ? Math.max(block.endMs, this.shownNow) : block.endMs;
  }

  private step(): void {
    if (this.moving) {
      const t = (this.clock() - this.moving.since) / MOVE_MS;
      // What is followed has moved on meanwhile.
      const to = this.mode === "follow" ? follow(this.moving.to.msPerPx, this.bounds) : this.mode === "fit" ? fit(this.bounds) : this.moving.to;
      this.scale = between(this.moving.from, to, 1 - (1 - Math.min(1, t)) ** 3);
      if (t >= 1) this.moving = null;
      else this.schedule();
    } else if (this.mode === "follow") this.scale = follow(this.scale.msPerPx, this.bounds);
    else if (this.mode === "fit") this.scale = fit(this.bounds);
    else this.scale = clamp(this.scale, this.bounds);
  }

  private draw(): void {
    const { state } = this;
    if (!state || this.width < 1) return;
    this.step();
    const { msPerPx, startMs } = this.scale;
    const moved = Math.abs(startMs - this.originMs) / msPerPx > ORIGIN_PX;
    const rescaled = msPerPx !== this.originScale;
    if (rescaled || moved) {
      this.originMs = startMs;
      this.originScale = msPerPx;
    }
    if (rescaled || this.laidOut !== state) {
      this.events = state.order.map((id) => state.events.get(id)).filter((e): e is MemoryEvent => e !== undefined);
      this.blocks = blocksOf(this.events, msPerPx);
      this.laidOut = state;
    }
    this.track.style.transform = `translateX(${(this.originMs - startMs) / msPerPx}px)`;
    this.marks.render(ticks(this.scale, this.width));
    this.bands.render(this.bandsNow(state));
    this.placeAt(this.nowLine, this.shownNow);
    this.drawBlocks();
    show(this.nowLine, this.events.length > 0 || this.shownNow > 0);
  }

  private drawBlocks(): void {
    const [first, end] = visible(this.blocks, toMs(this.scale, -BEYOND_PX), toMs(this.scale, this.width + BEYOND_PX));
    const selected = this.selectedMs === null ? -1 : this.indexOf(this.selectedMs);
    const wanted = new Map<string, number>();
    for (let n = first; n < end; n += 1) wanted.set((this.blocks[n] as Drawn).key, n);
    // The selected one is always there: assistive technology is told of it by its id.
    if (selected >= 0) wanted.set((this.blocks[selected] as Drawn).key, selected);
    const merges = this.state?.merges.filter((m) => m.seq > this.seenMerge) ?? [];
    this.seenMerge = this.state?.merges.at(-1)?.seq ?? this.seenMerge;
    const ghosts = new Set(merges.flatMap((m) => m.from.map((id) => `e:${id}`)).filter((key) => !wanted.has(key)));
    const animate = !still();
    const places = new Map([...this.drawn].filter(([key]) => merges.some((m) => m.from.includes(key.slice(2)))).map(([key, d]) => [key, this.placeOf(d.block)]));
    const old = new Map<string, HTMLElement>();
    for (const [key, { element }] of this.drawn) {
      if (wanted.has(key)) continue;
      this.drawn.delete(key);
      if (ghosts.has(key) && animate) old.set(key, element);
      else element.remove();
    }
    for (const [key, n] of wanted) this.drawBlock(key, this.blocks[n] as Drawn, n, n === selected);
    for (const merge of merges) {
      const into = this.drawn.get(`e:${merge.into}`);
      if (into && animate) mergeOf(into.element, this.placeOf(into.block), merge.from.map((id) => ({ element: old.get(`e:${id}`), place: places.get(`e:${id}`) })));
    }
    for (const element of old.values()) if (!element.classList.contains("ghost")) element.remove();
    const active = selected < 0 ? undefined : this.drawn.get((this.blocks[selected] as Drawn).key)?.element.id;
    if (active === undefined) this.element.removeAttribute("aria-activedescendant");
    else this.element.setAttribute("aria-activedescendant", active);
  }

  private drawBlock(key: string, block: Drawn, index: number, selected: boolean): void {
    let entry = this.drawn.get(key);
    if (!entry) {
      const element = h("div", { class: "event", id: `block-${key.replace(/\W/g, "-")}`, attrs: { role: "option" } },
        h("div", { class: "event-box" }, h("div", { class: "event-pictures" }), h("div", { class: "event-caption" })), h("span", { class: "event-count" }));
      this.track.append(element);
      entry = { element, block };
      this.drawn.set(key, entry);
      this.fill(element, block);
    } else if (entry.block.events.length !== block.events.length || entry.block.events.some((e, n) => e !== block.events[n])) this.fill(entry.element, block);
    entry.block = block;
    const { element } = entry;
    const width = this.placeSpan(element, block.startMs, this.blockEnd(block), 2);
    // Words stay in view while a part of their block is.
    const cut = Math.max(0, Math.min(width - CAPTION_PX, -toX(this.scale, block.startMs)));
    const pushed = cut > 0 ? `${(cut + 8).toFixed(0)}px` : "";
    const words = element.querySelector<HTMLElement>(".event-caption");
    if (words && words.style.paddingLeft !== pushed) words.style.paddingLeft = pushed;
    this.fillPictures(element, block, width);
    element.classList.toggle("wide", width >= CAPTION_PX);
    element.classList.toggle("slim", width < NARROW_PX);
    element.classList.toggle("cited", block.events.some((e) => this.cited.has(e.id)));
    element.classList.toggle("selected", selected);
    element.setAttribute("aria-selected", String(selected));
    element.setAttribute("aria-posinset", String(index + 1));
    element.setAttribute("aria-setsize", String(this.blocks.length));
  }

  /** What does not depend on the zoom. */
  private fill(element: HTMLElement, block: Drawn): void {
    const [first] = block.events;
    if (!first) return;
    const many = block.events.length;
    const open = block.events.at(-1)?.tier === "open" && many === 1;
    element.dataset["tier"] = open ? "open" : first.tier;
    element.dataset["depth"] = many === 1 ? String(Math.min(3, first.depth)) : "0";
    element.dataset["events"] = block.events.map((e) => e.id).join(" ");
    element.classList.toggle("group", many > 1);
    const caption = many > 1 ? `${many} events` : first.caption || (open ? "Looking…" : "Nothing named");
    const [, words, count] = [element, element.querySelector(".event-caption"), element.querySelector<HTMLElement>(".event-count")];
    if (words) setText(words, caption);
    if (count) {
      setText(count, many > 1 ? String(many) : "");
      show(count, many > 1);
    }
    const span = formatSpan(block.startMs, block.endMs);
    const merged = many === 1 && first.children.length > 1 ? `, merged from ${first.children.length} parts` : "";
    element.setAttribute("aria-label", many > 1 ? `${many} events, ${span}. Enter to look closer` : `${caption}, ${span}, ${formatDuration(block.endMs - block.startMs)}${merged}`);
    element.title = many > 1 ? `${many} events · ${span}` : `${span}\n${caption}${merged}`;
  }

  /** As many pictures side by side as there is room for. */
  private fillPictures(element: HTMLElement, block: Drawn, width: number): void {
    const room = width < 10 ? 0 : Math.max(1, Math.min(8, Math.floor(width / PICTURE_PX)));
    const [only] = block.events;
    const all = block.events.length > 1 || !only ? spread(block.events, room).flatMap((e) => spread(pictures(e), 1)) : pictures(only);
    const chosen = spread(all, room);
    const box = element.querySelector<HTMLElement>(".event-pictures");
    if (!box) return;
    while (box.childElementCount > chosen.length) box.lastElementChild?.remove();
    while (box.childElementCount < chosen.length) box.append(h("img", { alt: "", draggable: false, decoding: "async", data: { state: "loading" } }));
    chosen.forEach((picture, n) => this.thumbs.show(box.children[n] as HTMLImageElement, picture.id));
  }

  private bandsNow(state: MemoryState): { tier: string; startMs: number; endMs: number }[] {
    const of = (tier: string) => this.events.filter((e) => e.tier === tier);
    const bands: { tier: string; startMs: number; endMs: number }[] = [];
    for (const tier of ["long_term", "episodic"]) {
      const events = of(tier);
      const [first, last] = [events[0], events.at(-1)];
      if (first && last) bands.push({ tier, startMs: first.startMs, endMs: last.endMs });
    }
    for (const tier of ["working", "live"] as const) {
      const use = state.tiers[tier];
      // These tiers hold a look per second.
      if (use && use.items > 0) bands.push({ tier, startMs: Math.max(0, this.shownNow - use.items * 1000), endMs: this.shownNow });
    }
    return bands;
  }

  private pulse(): void {
    for (const { element } of this.drawn.values()) {
      if (!element.classList.contains("cited") || still()) continue;
      element.querySelector(".event-box")?.animate([{ scale: 1 }, { scale: 1.06 }, { scale: 1 }, { scale: 1.06 }, { scale: 1 }], { duration: 1100, easing: "ease-in-out" });
    }
  }

  private placeOf(block: Drawn): { left: number; width: number } {
    const left = (block.startMs - this.originMs) / this.originScale;
    return { left, width: Math.max(2, (this.blockEnd(block) - block.startMs) / this.originScale) };
  }

  private placeAt(element: HTMLElement, ms: number): void {
    element.style.transform = `translateX(${((ms - this.originMs) / this.originScale).toFixed(1)}px)`;
  }

  private placeSpan(element: HTMLElement, startMs: number, endMs: number, gap = 0): number {
    this.placeAt(element, startMs);
    const width = Math.max(2, (endMs - startMs) / this.originScale - gap);
    const css = `${width.toFixed(1)}px`;
    if (element.style.width !== css) element.style.width = css;
    return width;
  }
}
