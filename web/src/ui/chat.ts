// SPDX-License-Identifier: MIT OR Apache-2.0
import type { AnswerTurn, Turn, UserTurn } from "../state/conversation";
import { formatMs } from "../state/latency";
import { type Citation, type MemoryState, NOTHING, findCited } from "../state/memory";
import { formatSpan } from "../state/timeline_scale";
import { Keyed, h, setText, show } from "./dom";
import { icon } from "./icons";
import type { Thumbs } from "./thumbs";
import { type Actions, type Part, inSession, isLive } from "./view";

/** Questions to click; the first ones are what the default models do best. */
export const EXAMPLES = ["What do you see?", "What colour is it?", "Can you read the text?"];

const USER_WORDS: Record<UserTurn["state"], string> = {
  listening: "Listening…",
  transcribing: "Working out what you said…",
  failed: "That could not be understood",
  final: "",
};

function makeTurn(turn: Turn): HTMLElement {
  const item = h("li", { class: `turn turn-${turn.kind}` });
  const who = turn.kind === "user" ? "You" : turn.kind === "answer" ? "Sightline" : "";
  if (who) item.append(h("span", { class: "visually-hidden" }, `${who}: `));
  if (turn.kind === "answer") item.append(h("p", { class: "unasked", hidden: true }, icon("watch"), h("span", {})));
  item.append(h("p", { class: "bubble" }, h("span", { class: "words" }), h("span", { class: "thinking" }, h("i", {}), h("i", {}), h("i", {}))), h("p", { class: "aside" }));
  if (turn.kind === "answer") item.insertBefore(h("ul", { class: "cites", hidden: true, attrs: { "aria-label": "What this answer stands on" } }), item.lastChild);
  return item;
}

function answerAside(turn: AnswerTurn): string {
  const time = turn.firstWordsMs === null ? "" : `first word after ${formatMs(turn.firstWordsMs)}`;
  const note = turn.note === null ? "" : turn.state === "cancelled" ? `Stopped: ${turn.note}` : turn.note;
  return [note.replace("Stopped: stopped", "Stopped"), time].filter((t) => t !== "").join(" · ");
}

function updateTurn(element: HTMLElement, turn: Turn): void {
  const words = element.querySelector<HTMLElement>(".words");
  const thinking = element.querySelector<HTMLElement>(".thinking");
  const aside = element.querySelector<HTMLElement>(".aside");
  if (!words || !thinking || !aside) return;
  if (turn.kind !== "note") element.dataset["state"] = turn.state;
  if (turn.kind === "note") {
    setText(words, turn.text);
    show(thinking, false);
    return show(aside, false);
  }
  const placeholder = turn.kind === "user" && turn.text === "";
  element.classList.toggle("placeholder", placeholder);
  setText(words, turn.kind === "user" && placeholder ? USER_WORDS[turn.state] : turn.text);
  show(thinking, (turn.kind === "answer" && turn.state === "thinking") || (turn.kind === "user" && turn.state === "listening"));
  const text = turn.kind === "answer" ? answerAside(turn) : "";
  setText(aside, text);
  show(aside, text !== "");
}

/** How many citations a bubble shows. */
const MAX_CITES = 4;

/** The chips below an answer, each with the picture that it stands on. */
function updateCites(element: HTMLElement, turn: AnswerTurn, memory: MemoryState, thumbs: Thumbs, actions: Actions): void {
  const unasked = element.querySelector<HTMLElement>(".unasked");
  if (unasked) {
    show(unasked, turn.watch !== null);
    if (turn.watch !== null) setText(unasked.lastElementChild as Element, `Looked out for: ${turn.watch}`);
  }
  const list = element.querySelector<HTMLElement>(".cites");
  if (!list) return;
  show(list, turn.citations.length > 0);
  const shown = turn.citations.slice(0, MAX_CITES);
  while (list.childElementCount > shown.length) list.lastElementChild?.remove();
  shown.forEach((citation, n) => {
    let item = list.children[n] as HTMLElement | undefined;
    if (!item) {
      item = h("li", {}, h("button", { class: "cite", type: "button" }, h("img", { alt: "", draggable: false }), h("span", {})));
      // A chip says which citation it is when it is clicked: it may have been filled anew.
      item.firstElementChild?.addEventListener("click", () => actions.openCitation(turn.citations[n] as Citation));
      list.append(item);
    }
    const button = item.firstElementChild as HTMLButtonElement;
    const [image, words] = [button.firstElementChild as HTMLImageElement, button.lastElementChild as HTMLElement];
    const known = findCited(memory, citation);
    const span = formatSpan(citation.startMs, citation.endMs);
    setText(words, `[${span}]`);
    button.disabled = known === null;
    button.title = known ? known.caption : "This has been forgotten";
    button.setAttribute("aria-label", known ? `Show ${span}: ${known.caption}` : `${span}, forgotten`);
    const picture = known ? (citation.keyframes[0] ?? known.keyframes[0]?.id) : undefined;
    show(image, picture !== undefined);
    if (picture !== undefined) thumbs.show(image, picture);
    else if (image.hasAttribute("src")) image.removeAttribute("src");
  });
}

/** Both sides of the conversation, and the box for typed questions. */
export function chat(actions: Actions, thumbs: Thumbs): Part {
  const list = h("ol", { class: "turns" });
  let memory = NOTHING;
  const keyed = new Keyed<Turn>(list, (t) => t.id, makeTurn, (element, turn) => {
    updateTurn(element, turn);
    if (turn.kind === "answer") updateCites(element, turn, memory, thumbs, actions);
  });
  const empty = h("div", { class: "chat-empty" }, h("p", { class: "chat-empty-title" }, "Nothing said yet"), h("p", {}, "Talk, type, or click one of the questions below."));
  const scroll = h("div", { class: "scroll", tabIndex: 0, attrs: { role: "log", "aria-live": "off", "aria-label": "Conversation" } }, empty, list);
  // Whole answers are announced, not every token.
  const announcer = h("div", { class: "visually-hidden", attrs: { "aria-live": "polite", role: "status" } });
  const composer = makeComposer(actions);
  const element = h("section", { class: "card chat", attrs: { "aria-label": "Conversation" } }, scroll, announcer, composer.element);
  let announced = "";
  return {
    element,
    update(view) {
      const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
      show(empty, view.turns.length === 0);
      memory = view.memory;
      keyed.render(view.turns);
      if (atEnd) scroll.scrollTop = scroll.scrollHeight;
      const last = view.turns.at(-1);
      if (last?.kind === "answer" && last.state !== "thinking" && last.state !== "streaming" && announced !== last.id) {
        announced = last.id;
        setText(announcer, [last.watch ?? "", last.text, last.note ?? ""].filter((t) => t !== "").join(". "));
      }
      composer.update(view);
    },
  };
}

function makeComposer(actions: Actions): Part {
  const input = h("input", { class: "question", type: "text", id: "question", autocomplete: "off", maxLength: 1000, enterKeyHint: "send", attrs: { "aria-label": "Question" } });
  const send = h("button", { class: "round primary", type: "submit", id: "send", title: "Ask", attrs: { "aria-label": "Ask" } }, icon("send"));
  const stop = h("button", { class: "round", type: "button", id: "stop-answer", title: "Stop the answer", attrs: { "aria-label": "Stop the answer" } }, icon("stop"));
  stop.addEventListener("click", () => actions.cancel());
  let live = false;
  const examples = h("div", { class: "examples", attrs: { role: "group", "aria-label": "Example questions" } });
  const buttons = EXAMPLES.map((text) => {
    const button = h("button", { class: "example", type: "button" }, text);
    button.addEventListener("pointerenter", () => live && actions.typing());
    button.addEventListener("click", () => actions.ask(text));
    return button;
  });
  examples.append(...buttons);
  const form = h("form", { class: "composer" }, input, stop, send);
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const text = input.value.trim();
    if (text === "") return;
    input.value = "";
    actions.ask(text);
    send.disabled = true;
  });
  const refresh = () => (send.disabled = !live || input.value.trim() === "");
  input.addEventListener("input", () => {
    refresh();
    if (!send.disabled) actions.typing();
  });
  return {
    element: h("div", { class: "composer-area" }, examples, form),
    update(view) {
      live = isLive(view.status);
      input.disabled = !live;
      input.placeholder = live ? "Type a question" : inSession(view.status) ? "Waiting for the connection" : "Start, then ask a question";
      for (const button of buttons) button.disabled = !live;
      show(stop, view.answering);
      refresh();
    },
  };
}
