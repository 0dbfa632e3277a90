// SPDX-License-Identifier: MIT OR Apache-2.0
import { type Failure, explain } from "../client";
import { captions } from "./captions";
import { h, setText, show } from "./dom";
import { icon } from "./icons";
import { overlay } from "./overlay";
import { type Actions, type Part, type View, inSession } from "./view";

/** The panel in place of the picture while there is no conversation: start, or what stands in the way. */
function startPanel(actions: Actions): Part {
  const mark = h("div", { class: "panel-mark" });
  const title = h("h2", { class: "panel-title" });
  const body = h("p", { class: "panel-body" });
  const main = h("button", { class: "button primary large", type: "button", id: "start" });
  const both = { camera: true, microphone: true };
  main.addEventListener("click", () => actions.start(both));
  const only = (camera: boolean, text: string, id: string) => {
    const button = h("button", { class: "button quiet", type: "button", id }, text);
    button.addEventListener("click", () => actions.start({ camera, microphone: !camera }));
    return button;
  };
  const key = h("input", { type: "password", id: "key", autocomplete: "off", placeholder: "Key of the server", attrs: { "aria-label": "Key of the server" } });
  const keyForm = h("form", { class: "panel-key" }, key);
  keyForm.addEventListener("submit", (e) => {
    e.preventDefault();
    main.click();
  });
  key.addEventListener("input", () => actions.setKey(key.value.trim()));
  const others = h("div", { class: "panel-others" }, only(false, "Microphone only", "start-microphone"), only(true, "Camera only", "start-camera"));
  const detail = h("p", { class: "panel-detail" });
  const element = h("div", { class: "panel" }, mark, title, body, keyForm, main, others, detail);
  let drawn = "";
  return {
    element,
    update(view) {
      show(element, !inSession(view.status));
      const failure = failureOf(view);
      const words = panelWords(view, failure);
      element.dataset["kind"] = failure?.kind ?? "";
      element.setAttribute("role", failure ? "alert" : "group");
      if (drawn !== words.icon) {
        mark.replaceChildren(icon(words.icon));
        drawn = words.icon;
      }
      setText(title, words.title);
      setText(body, words.body);
      setText(main, words.button);
      show(keyForm, failure?.kind === "unauthorised" && !view.asking);
      main.disabled = view.asking;
      show(others, !view.asking);
      setText(detail, failure?.kind === "internal" ? "" : "Audio and video go to this server and nowhere else.");
      show(detail, failure === null && !view.asking);
    },
  };
}

function failureOf(view: View): Failure | null {
  return view.failure ?? (view.status.phase === "ended" ? view.status.failure : null);
}

function panelWords(view: View, failure: Failure | null): { icon: "eye" | "warn"; title: string; body: string; button: string } {
  if (view.asking) {
    return { icon: "eye", title: "Allow camera and microphone", body: "Your browser asks for permission now. Nothing is sent before you allow it.", button: "Waiting…" };
  }
  if (failure) return { icon: "warn", ...explain(failure, view.host), button: "Try again" };
  if (view.status.phase === "ended") {
    return { icon: "eye", title: "Conversation ended", body: "Camera and microphone are off.", button: "Start again" };
  }
  return {
    icon: "eye",
    title: "Show it something, and ask",
    body: "Sightline looks through your camera, listens to your question, and answers in words.",
    button: "Start camera and microphone",
  };
}

/** A strip over the picture while something is wrong but the conversation goes on. */
function banner(actions: Actions, now: () => number): Part {
  const title = h("strong", {});
  const body = h("span", {});
  const retry = h("button", { class: "button small", type: "button", id: "retry" }, "Retry now");
  retry.addEventListener("click", () => actions.retry());
  const element = h("div", { class: "banner", attrs: { role: "alert" } }, icon("warn"), h("div", { class: "banner-words" }, title, body), retry);
  return {
    element,
    update(view) {
      const { status } = view;
      const problem = view.problems[0];
      // Stays while the next attempt is made, so that it does not flicker.
      const broken = status.phase === "waiting" || status.phase === "connecting" ? status.failure : null;
      const failure = broken ?? (inSession(status) ? problem : undefined);
      show(element, failure !== undefined);
      show(retry, status.phase === "waiting");
      if (!failure) return;
      element.dataset["kind"] = failure.kind;
      const left = Math.max(0, view.retryAt - now());
      const words = explain(status.phase === "waiting" && failure.kind === "capacity" ? { ...failure, retryAfterMs: left } : failure, view.host);
      setText(title, words.title);
      setText(body, words.body);
    },
  };
}

const NO_PICTURE: Record<string, string> = {
  off: "Camera off",
  none: "No camera. You can talk and type, but nothing is seen.",
  lost: "The camera was disconnected",
};

/** The preview, what is seen in it, and the panel before and after a conversation. */
export function stage(actions: Actions, now: () => number): Part {
  const video = h("video", { class: "video", autoplay: true, muted: true, playsInline: true, attrs: { "aria-label": "Camera preview" } });
  const boxes = overlay();
  const panel = startPanel(actions);
  const strip = banner(actions, now);
  const words = captions();
  const hearing = h("div", { class: "pill hearing" }, icon("wave"), "Hearing you");
  const connecting = h("div", { class: "pill connecting" }, h("span", { class: "spinner" }), h("span", {}, "Connecting"));
  const blankText = h("p", {});
  const blank = h("div", { class: "blank" }, icon("camera-off"), blankText);
  const picture = h("div", { class: "picture" }, video, boxes.element);
  const element = h("div", { class: "stage" }, picture, blank, words.element, hearing, connecting, strip.element, panel.element);
  video.addEventListener("resize", () => {
    if (video.videoWidth > 0) element.style.setProperty("--ratio", String(video.videoWidth / video.videoHeight));
  });
  return {
    element,
    update(view) {
      const on = inSession(view.status);
      const camera = view.devices.camera;
      if (video.srcObject !== view.stream) video.srcObject = view.stream;
      element.dataset["on"] = String(on);
      picture.classList.toggle("mirrored", view.mirrored);
      show(picture, on && camera === "on");
      show(blank, on && camera !== "on");
      setText(blankText, NO_PICTURE[camera] ?? "");
      show(hearing, view.speaking && view.status.phase === "live");
      show(connecting, view.status.phase === "connecting");
      for (const part of [boxes, words, panel, strip]) part.update(view);
    },
  };
}
