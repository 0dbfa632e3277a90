// SPDX-License-Identifier: MIT OR Apache-2.0
import type { Device } from "../client";
import { h, show } from "./dom";
import { icon } from "./icons";
import { canChooseSpeaker } from "./speech";
import type { Actions, Part, View } from "./view";

function select(id: string, name: string, choose: (value: string) => void) {
  const list = h("select", { id });
  list.addEventListener("change", () => choose(list.value));
  return { element: h("label", { class: "field" }, h("span", {}, name), list), list };
}

function tick(id: string, name: string, set: (on: boolean) => void) {
  const box = h("input", { type: "checkbox", id });
  box.addEventListener("change", () => set(box.checked));
  return { element: h("label", { class: "tick" }, box, h("span", {}, name)), box };
}

/** Open microphone, or a button to hold. */
function talkChoice(actions: Actions) {
  const radios = ([["open", "Open microphone"], ["push", "Hold to talk (space)"]] as const).map(([mode, name]) => {
    const radio = h("input", { type: "radio", name: "talk", value: mode, id: `talk-${mode}` });
    radio.addEventListener("change", () => radio.checked && actions.setMode(mode));
    return { mode, radio, element: h("label", { class: "tick" }, radio, h("span", {}, name)) };
  });
  const element = h("fieldset", { class: "field" }, h("legend", {}, "Talking"), ...radios.map((r) => r.element));
  return { element, radios };
}

/** Devices and how the conversation is held. Names of devices are known only once access was given, so they are filled in each time it opens. */
export function settings(actions: Actions): Part {
  const camera = select("choose-camera", "Camera", (id) => actions.choose("camera", id));
  const microphone = select("choose-microphone", "Microphone", (id) => actions.choose("microphone", id));
  const speaker = select("choose-speaker", "Speaker", (id) => actions.setSpeaker(id));
  const talk = talkChoice(actions);
  const captions = tick("captions", "Captions over the picture", (on) => actions.setCaptions(on));
  const spoken = tick("spoken", "Speak the answers", (on) => actions.setSpoken(on));
  const summary = h("summary", { class: "control", title: "Devices and settings", attrs: { "aria-label": "Devices and settings" } }, icon("devices"));
  const element = h("details", { class: "menu" }, summary, h("div", { class: "menu-body" }, camera.element, microphone.element, speaker.element, talk.element, captions.element, spoken.element));
  let current: View | null = null;
  const chosen = (device: Device) => (device === "camera" ? current?.stream?.getVideoTracks()[0] : current?.stream?.getAudioTracks()[0])?.getSettings().deviceId;
  const fill = async () => {
    const all = await navigator.mediaDevices.enumerateDevices();
    for (const [list, kind, id] of [
      [camera.list, "videoinput", chosen("camera")],
      [microphone.list, "audioinput", chosen("microphone")],
      [speaker.list, "audiooutput", current?.spoken.speaker],
    ] as const) {
      const found = all.filter((d) => d.kind === kind);
      list.replaceChildren(...found.map((d, n) => h("option", { value: d.deviceId, selected: d.deviceId === id }, d.label || `Device ${n + 1}`)));
      list.disabled = found.length === 0;
      if (found.length === 0) list.append(h("option", {}, "none found"));
    }
  };
  const refresh = () => element.open && void fill().catch(() => undefined);
  element.addEventListener("toggle", refresh);
  // Something was plugged in or out while the menu is open.
  navigator.mediaDevices?.addEventListener?.("devicechange", refresh);
  document.addEventListener("pointerdown", (e) => {
    if (element.open && !element.contains(e.target as Node)) element.open = false;
  });
  element.addEventListener("keydown", (e) => {
    if (e.key !== "Escape") return;
    element.open = false;
    summary.focus();
  });
  return {
    element,
    update(view) {
      current = view;
      for (const { mode, radio } of talk.radios) radio.checked = view.talk.mode === mode;
      captions.box.checked = view.captions.on;
      spoken.box.checked = view.spoken.wanted;
      show(spoken.element, view.spoken.possible);
      show(speaker.element, canChooseSpeaker && view.spoken.possible);
    },
  };
}
