// SPDX-License-Identifier: MIT OR Apache-2.0
import { h, show } from "./dom";
import { icon } from "./icons";

/** What can be looked out for, as suggestions: one of each kind. */
const EXAMPLES = ["someone comes in", "a cup", "the light goes out", "the word EXIT", "two people", "the door changes"];

/** A button that becomes a line to write in: what the server is to look out for, and to say by itself when it happens. */
export function watchForm(create: (condition: string) => boolean): { element: HTMLElement; update(live: boolean): void } {
  const open = h("button", { class: "watch-new", type: "button", id: "watch-new", title: "Tell me when something happens", attrs: { "aria-expanded": "false" } }, icon("watch"), h("span", {}, "Tell me when…"));
  const list = h("datalist", { id: "watch-examples" }, ...EXAMPLES.map((value) => h("option", { attrs: { value } })));
  const line = h("input", { class: "watch-line", id: "watch-line", attrs: { type: "text", maxlength: "200", autocomplete: "off", enterkeyhint: "done", list: list.id, placeholder: "someone comes in", "aria-label": "Tell me when" } }) as HTMLInputElement;
  const form = h("form", { class: "watch-form", hidden: true }, h("label", { attrs: { for: line.id } }, "Tell me when"), line, list);
  const toggle = (opened: boolean) => {
    show(form, opened);
    show(open, !opened);
    open.setAttribute("aria-expanded", String(opened));
    (opened ? line : open).focus();
  };
  open.addEventListener("click", () => toggle(true));
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const condition = line.value.trim();
    // What could not be sent stays to be sent again.
    if (condition === "" || create(condition)) {
      line.value = "";
      toggle(false);
    }
  });
  form.addEventListener("keydown", (e) => {
    if (e.key !== "Escape") return;
    e.preventDefault();
    e.stopPropagation();
    toggle(false);
  });
  line.addEventListener("blur", () => line.value.trim() === "" && !form.hidden && setTimeout(() => !form.contains(document.activeElement) && (show(form, false), show(open, true)), 0));
  const element = h("div", { class: "watch-add" }, open, form);
  return {
    element,
    update(live) {
      (open as HTMLButtonElement).disabled = !live;
      line.disabled = !live;
    },
  };
}
