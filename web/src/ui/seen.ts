// SPDX-License-Identifier: MIT OR Apache-2.0
import { SWATCHES, chips } from "../state/scene";
import { Keyed, h, setText, show } from "./dom";
import { type Part, inSession, isLive } from "./view";

interface Chip {
  key: string;
  kind: "main" | "text" | "colour" | "none";
  text: string;
}

function make(chip: Chip): HTMLElement {
  const swatch = h("span", { class: "swatch" });
  const colour = SWATCHES[chip.text];
  if (colour !== undefined) swatch.style.background = colour;
  return h("li", { class: `chip chip-${chip.kind}`, data: { kind: chip.kind } }, chip.kind === "colour" && swatch, h("span", { class: "chip-text" }));
}

function update(element: HTMLElement, chip: Chip): void {
  const text = element.querySelector(".chip-text");
  if (text) setText(text, chip.kind === "text" ? `“${chip.text}”` : chip.text);
  element.title = chip.text;
}

/** One line in words of what is seen: the main thing, text that was read, colours. */
export function seen(): Part {
  const list = h("ul", { class: "chips", attrs: { "aria-label": "What is seen" } });
  const keyed = new Keyed<Chip>(list, (c) => c.key, make, update);
  const stats = h("span", { class: "seen-stats", title: "What the server decodes of the camera: no more than it needs" });
  const element = h("div", { class: "seen" }, h("span", { class: "seen-title" }, "Sees"), list, stats);
  return {
    element,
    update(view) {
      show(element, inSession(view.status) && view.devices.camera === "on");
      const video = isLive(view.status) ? view.video : null;
      setText(stats, video ? `${video.width ?? 0}×${video.height ?? 0} · ${Math.round(video.decoded_fps)} fps` : "");
      if (!isLive(view.status)) return keyed.render([{ key: "none", kind: "none", text: "nothing yet" }]);
      const facts = view.facts ? chips(view.facts) : null;
      if (!facts) return keyed.render([{ key: "none", kind: "none", text: "looking…" }]);
      if (facts.unusable) return keyed.render([{ key: "unusable", kind: "none", text: facts.unusable }]);
      const all: Chip[] = [
        ...(facts.main === null ? [] : [{ key: "main", kind: "main" as const, text: facts.main }]),
        ...facts.texts.map((text) => ({ key: `t${text}`, kind: "text" as const, text })),
        ...facts.colours.map((text) => ({ key: `c${text}`, kind: "colour" as const, text })),
      ];
      keyed.render(all.length > 0 ? all : [{ key: "nothing", kind: "none", text: "nothing it can name" }]);
    },
  };
}
