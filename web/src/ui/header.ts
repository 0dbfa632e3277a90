// SPDX-License-Identifier: MIT OR Apache-2.0
import { explain } from "../client";
import { h, setText } from "./dom";
import { icon } from "./icons";
import type { Part, View } from "./view";

type Tone = "idle" | "busy" | "good" | "warn" | "bad";

/** The state of the connection in a few words, and why. */
export function connectionText(view: View, now: number): { tone: Tone; text: string; why: string } {
  const { status } = view;
  if (view.asking) return { tone: "busy", text: "Waiting for permission", why: "The browser asks whether this page may use the devices" };
  switch (status.phase) {
    case "idle":
      return view.failure
        ? { tone: "bad", text: explain(view.failure, view.host).title, why: explain(view.failure, view.host).body }
        : { tone: "idle", text: "Not connected", why: "Nothing is sent before you start" };
    case "connecting":
      return { tone: "busy", text: status.attempt === 0 ? "Connecting" : `Connecting, attempt ${status.attempt + 1}`, why: "Setting up audio, video and events" };
    case "live":
      return { tone: "good", text: "Live", why: `Connected to ${view.host}` };
    case "interrupted":
      return { tone: "warn", text: "Interrupted", why: "Audio and video do not get through just now" };
    case "waiting": {
      const { title, body } = explain(status.failure, view.host);
      const seconds = Math.max(0, Math.ceil((view.retryAt - now) / 1000));
      return { tone: "warn", text: `${title} · retry in ${seconds} s`, why: body };
    }
    case "ended": {
      if (!status.failure) return { tone: "idle", text: "Ended", why: "You ended the conversation" };
      const { title, body } = explain(status.failure, view.host);
      return { tone: "bad", text: title, why: body };
    }
  }
}

const THEMES = ["auto", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];

function applyTheme(theme: Theme): void {
  if (theme === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

function themeButton(): HTMLElement {
  let stored: string | null = null;
  try {
    stored = localStorage.getItem("theme");
  } catch {
    // Storage can be forbidden; the choice then lasts as long as the page.
  }
  let theme: Theme = THEMES.find((t) => t === stored) ?? "auto";
  const button = h("button", { class: "icon-button", type: "button" }, icon("theme"));
  const say = () => {
    applyTheme(theme);
    button.title = `Colours: ${theme}`;
    button.setAttribute("aria-label", `Colours: ${theme}. Change`);
  };
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "auto";
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // As above.
    }
    say();
  });
  say();
  return button;
}

/** Name, state of the connection, colours. */
export function header(now: () => number): Part {
  const text = h("span", { class: "connection-text" });
  const chip = h("div", { class: "connection", attrs: { role: "status" } }, h("span", { class: "dot" }), text);
  const element = h(
    "header",
    { class: "header" },
    h("div", { class: "brand" }, h("span", { class: "brand-mark" }, icon("eye")), h("h1", {}, "Sightline")),
    chip,
    themeButton(),
  );
  return {
    element,
    update(view) {
      const state = connectionText(view, now());
      chip.dataset["tone"] = state.tone;
      chip.dataset["phase"] = view.status.phase;
      chip.title = state.why;
      setText(text, state.text);
    },
  };
}
