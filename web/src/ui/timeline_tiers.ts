// SPDX-License-Identifier: MIT OR Apache-2.0
import type { MemoryTier } from "../client";
import { type MemoryState, TIERS, type Use, type Watch } from "../state/memory";
import { formatBytes } from "../state/timeline_scale";
import { Keyed, h, setText } from "./dom";
import { icon } from "./icons";

const NAMES: Record<MemoryTier, [name: string, what: string]> = {
  live: ["Live", "the looks of the last seconds"],
  working: ["Working", "the last half minute, a look per second"],
  episodic: ["Events", "what happened, whole"],
  long_term: ["Long-term", "older events, merged with their neighbours"],
  archive: ["Archive", "on the server's disk"],
};

interface Meter extends Use {
  tier: MemoryTier;
}

/** How full a tier is, 0 to 1: the archive by bytes, the others by what they hold. */
const fullness = (m: Meter): number => {
  const [have, may] = m.tier === "archive" ? [m.bytes, m.quotaBytes] : [m.items, m.capacity];
  return may ? Math.min(1, have / may) : 0;
};

function makeMeter(m: Meter): HTMLElement {
  return h("li", { class: "tier", data: { tier: m.tier } }, h("span", { class: "tier-name" }, NAMES[m.tier][0]), h("span", { class: "tier-bytes" }), h("span", { class: "tier-bar" }, h("i", {})));
}

function updateMeter(element: HTMLElement, m: Meter): void {
  const [, bytes, bar] = [...element.children] as [Element, Element, HTMLElement];
  setText(bytes, formatBytes(m.bytes));
  const css = fullness(m).toFixed(3);
  if (bar.style.getPropertyValue("--fill") !== css) bar.style.setProperty("--fill", css);
  const held = m.capacity === null ? String(m.items) : `${m.items} of ${m.capacity}`;
  const quota = m.quotaBytes === null ? "" : ` of ${formatBytes(m.quotaBytes)}`;
  const words = `${NAMES[m.tier][0]}, ${NAMES[m.tier][1]}: ${held}, ${formatBytes(m.bytes)}${quota}`;
  if (element.title === words) return;
  element.title = words;
  element.setAttribute("aria-label", words);
}

/** What each tier holds and what that costs. The colours are those of the rail below the blocks. */
export function tierMeters(): { element: HTMLElement; update(state: MemoryState): void } {
  const element = h("ul", { class: "tiers", attrs: { "aria-label": "Memory in use" } });
  const keyed = new Keyed<Meter>(element, (m) => m.tier, makeMeter, updateMeter);
  return {
    element,
    update: (state) => keyed.render(TIERS.flatMap((tier) => (state.tiers[tier] ? [{ tier, ...state.tiers[tier] }] : []))),
  };
}

/** What is looked out for, each with a way to stop it. */
export function watchList(cancel: (id: string) => void): { element: HTMLElement; update(watches: readonly Watch[]): void } {
  const element = h("ul", { class: "watches", attrs: { "aria-label": "Looking out for" } });
  const make = (watch: Watch): HTMLElement => {
    const stop = h("button", { class: "watch-stop", type: "button" }, icon("end"));
    stop.addEventListener("click", () => cancel(watch.id));
    return h("li", { class: "watch", data: { id: watch.id } }, icon("watch"), h("span", { class: "watch-words" }), h("span", { class: "watch-fired" }), stop);
  };
  const keyed = new Keyed<Watch>(element, (w) => w.id, make, (item, w) => {
    const condition = w.condition || "something";
    setText(item.querySelector(".watch-words") as Element, condition);
    setText(item.querySelector(".watch-fired") as Element, w.fired > 0 ? `${w.fired}×` : "");
    item.title = `Looking out: ${condition}${w.once ? ", once" : ""}${w.fired > 0 ? `, happened ${w.fired}×` : ""}`;
    const stop = item.querySelector("button");
    stop?.setAttribute("aria-label", `Stop looking out: ${condition}`);
    if (stop) stop.title = "Stop looking out";
  });
  return {
    element,
    update(watches) {
      keyed.render(watches);
      element.hidden = watches.length === 0;
    },
  };
}
