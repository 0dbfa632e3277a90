// SPDX-License-Identifier: MIT OR Apache-2.0
import { h, show } from "./dom";

/** After this long without an answer, nothing was meant. */
const PATIENCE_MS = 10000;

/** A button that asks once more, in its own place, before it acts. */
export function confirming(label: string, question: string, yes: string, act: () => void, id: string): HTMLElement {
  const ask = h("button", { class: "button small plain", type: "button", id }, label);
  const agree = h("button", { class: "button small danger", type: "button", id: `${id}-yes` }, yes);
  const keep = h("button", { class: "button small plain", type: "button", id: `${id}-no` }, "Keep");
  const group = h("span", { class: "confirm", hidden: true, attrs: { role: "group", "aria-label": question } }, h("span", { class: "confirm-question" }, question), agree, keep);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const close = (focus: boolean) => {
    clearTimeout(timer);
    show(group, false);
    show(ask, true);
    if (focus) ask.focus();
  };
  ask.addEventListener("click", () => {
    show(ask, false);
    show(group, true);
    // The harmless answer has the focus.
    keep.focus();
    timer = setTimeout(() => close(group.contains(document.activeElement)), PATIENCE_MS);
  });
  agree.addEventListener("click", () => {
    close(true);
    act();
  });
  keep.addEventListener("click", () => close(true));
  group.addEventListener("keydown", (e) => {
    if (e.key !== "Escape") return;
    e.preventDefault();
    e.stopPropagation();
    close(true);
  });
  return h("span", { class: "confirming" }, ask, group);
}
