// SPDX-License-Identifier: MIT OR Apache-2.0
import { h, setText } from "./dom";
import { icon } from "./icons";
import { type Actions, type Part, type View, isLive } from "./view";

/** What takes the space bar for itself. */
const OWN_SPACE = "input, textarea, select, button, summary, a, [contenteditable]";

/** The button to hold while talking. The space bar does the same wherever nothing else needs it. */
export function talkButton(actions: Actions, meter: HTMLElement): Part {
  const words = h("span", {});
  const element = h("button", { class: "control talk", type: "button", id: "talk", attrs: { "aria-keyshortcuts": "Space" } }, icon("mic"), words, meter);
  let view: View | null = null;
  const active = () => view?.talk.mode === "push" && isLive(view.status);

  element.addEventListener("pointerdown", (e) => {
    if (e.button !== 0) return;
    element.setPointerCapture(e.pointerId);
    actions.press();
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) element.addEventListener(end, () => actions.release());
  // A long touch is no wish for a menu here.
  element.addEventListener("contextmenu", (e) => e.preventDefault());

  const isTalk = (e: KeyboardEvent) => {
    const target = e.target instanceof Element ? e.target : null;
    if (target === element) return e.code === "Space" || e.code === "Enter";
    return e.code === "Space" && !target?.closest(OWN_SPACE);
  };
  document.addEventListener("keydown", (e) => {
    if (!active() || !isTalk(e) || e.ctrlKey || e.altKey || e.metaKey) return;
    e.preventDefault();
    if (!e.repeat) actions.press();
  });
  document.addEventListener("keyup", (e) => {
    if (!view?.talk.held || !(e.code === "Space" || e.code === "Enter")) return;
    e.preventDefault();
    actions.release();
  });
  // The key may be let go where this page does not see it.
  window.addEventListener("blur", () => actions.release());
  document.addEventListener("visibilitychange", () => document.hidden && actions.release());

  return {
    element,
    update(next) {
      view = next;
      element.disabled = !isLive(next.status) || next.devices.microphone !== "on";
      element.setAttribute("aria-pressed", String(next.talk.held));
      setText(words, next.talk.held ? "Listening" : "Hold to talk");
      element.title = "Hold it, or the space bar, while you talk";
    },
  };
}
