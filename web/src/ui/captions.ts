// SPDX-License-Identifier: MIT OR Apache-2.0
import { h, setText, show } from "./dom";
import { type Part, inSession } from "./view";

/** Both sides of the conversation over the picture. A screen reader has them from the conversation itself. */
export function captions(): Part {
  const you = h("p", { class: "caption caption-you" });
  const answer = h("p", { class: "caption caption-answer" });
  const element = h("div", { class: "captions", attrs: { "aria-hidden": "true" } }, you, answer);
  return {
    element,
    update(view) {
      const { now, on } = view.captions;
      show(element, on && inSession(view.status) && (now.you !== null || now.answer !== null));
      for (const [line, words] of [[you, now.you], [answer, now.answer]] as const) {
        show(line, words !== null);
        setText(line, words ?? "");
      }
    },
  };
}
