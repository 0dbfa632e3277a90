// SPDX-License-Identifier: MIT OR Apache-2.0
import { type Mark, SWATCHES, marks } from "../state/scene";
import { Keyed, h, setText } from "./dom";
import type { Part } from "./view";

const percent = (fraction: number): string => `${(fraction * 100).toFixed(2)}%`;

function makeMark(mark: Mark): HTMLElement {
  return h(
    "div",
    { class: `mark mark-${mark.kind}` },
    h("span", { class: "mark-caption" }, h("span", { class: "swatch" }), h("span", { class: "mark-words" })),
  );
}

function updateMark(element: HTMLElement, mark: Mark): void {
  element.style.left = percent(mark.left);
  element.style.top = percent(mark.top);
  element.style.width = percent(mark.width);
  element.style.height = percent(mark.height);
  // Near the upper edge the caption goes inside the box; in the right half it grows to the left.
  element.classList.toggle("caption-inside", mark.top < 0.08);
  element.classList.toggle("caption-right", mark.left + mark.width / 2 > 0.5);
  const swatch = element.querySelector<HTMLElement>(".swatch");
  const colour = mark.colour === null ? undefined : SWATCHES[mark.colour];
  if (swatch) {
    swatch.hidden = colour === undefined;
    if (colour !== undefined) swatch.style.background = colour;
  }
  const text = element.querySelector(".mark-words");
  if (text) setText(text, mark.caption);
}

/** What perception sees, drawn over the preview. */
export function overlay(): Part {
  const element = h("div", { class: "overlay", attrs: { "aria-hidden": "true" } });
  const list = new Keyed<Mark>(element, (m) => m.key, makeMark, updateMark);
  return {
    element,
    update(view) {
      const visible = view.facts !== null && view.boxes && view.devices.camera === "on";
      list.render(visible && view.facts ? marks(view.facts, view.mirrored) : []);
    },
  };
}
