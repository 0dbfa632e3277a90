// SPDX-License-Identifier: MIT OR Apache-2.0
import type { Device } from "../client";
import { h, show } from "./dom";
import { type IconName, icon } from "./icons";
import { Meter } from "./meter";
import { settings } from "./settings";
import { talkButton } from "./talk_button";
import { type Actions, type DeviceState, type Part, inSession } from "./view";

function toggleButton(id: string, shown: Record<"on" | "off", IconName>, click: () => void) {
  const on = icon(shown.on);
  const off = icon(shown.off);
  const button = h("button", { class: "control", type: "button", id });
  button.append(on, off);
  button.addEventListener("click", click);
  return {
    button,
    set(pressed: boolean, label: string) {
      on.classList.toggle("gone", !pressed);
      off.classList.toggle("gone", pressed);
      button.setAttribute("aria-pressed", String(pressed));
      button.setAttribute("aria-label", label);
      button.title = label;
    },
  };
}

const LABELS: Record<Device, Record<DeviceState, string>> = {
  microphone: { on: "Mute the microphone", off: "Unmute the microphone", none: "Add the microphone", lost: "Reconnect the microphone" },
  camera: { on: "Switch the camera off", off: "Switch the camera on", none: "Add the camera", lost: "Reconnect the camera" },
};

function bars(): HTMLElement {
  const level = h("span", { class: "meter", attrs: { "aria-hidden": "true" } });
  for (let n = 0; n < 5; n += 1) level.append(h("i", {}));
  return level;
}

/** Buttons for devices and the picture, and the end of the conversation. */
export function controls(actions: Actions): Part {
  const mic = toggleButton("mic", { on: "mic", off: "mic-off" }, () => actions.toggle("microphone"));
  const level = bars();
  const talk = talkButton(actions, bars());
  const talkLevel = talk.element.lastElementChild as HTMLElement;
  mic.button.append(level);
  const answerLevel = bars();
  const answer = h("span", { class: "control sounding", title: "How loud the answer is", attrs: { role: "img", "aria-label": "How loud the answer is" } }, icon("wave"), answerLevel);
  const camera = toggleButton("camera", { on: "camera", off: "camera-off" }, () => actions.toggle("camera"));
  const mirror = toggleButton("mirror", { on: "mirror", off: "mirror" }, () => actions.mirror());
  const boxes = toggleButton("boxes", { on: "boxes", off: "boxes" }, () => actions.toggleBoxes());
  const menu = settings(actions);
  const end = h("button", { class: "control end", type: "button", id: "end", title: "End the conversation", attrs: { "aria-label": "End the conversation" } }, icon("end"), h("span", {}, "End"));
  end.addEventListener("click", () => actions.stop());
  const element = h(
    "div",
    { class: "controls", attrs: { role: "toolbar", "aria-label": "Camera and microphone" } },
    mic.button, talk.element, camera.button, h("span", { class: "divider" }), mirror.button, boxes.button, menu.element, answer, h("span", { class: "spring" }), end,
  );
  const [meter, answerMeter] = [new Meter(level, talkLevel), new Meter(answerLevel)];
  let metered: MediaStreamTrack | null = null;
  let sounding: MediaStreamTrack | null = null;
  return {
    element,
    update(view) {
      show(element, inSession(view.status));
      mic.set(view.devices.microphone === "on", LABELS.microphone[view.devices.microphone]);
      mic.button.classList.toggle("speaking", view.speaking);
      camera.set(view.devices.camera === "on", LABELS.camera[view.devices.camera]);
      mirror.set(view.mirrored, view.mirrored ? "Show the picture as it is" : "Mirror the picture");
      boxes.set(view.boxes, view.boxes ? "Hide the boxes" : "Show the boxes");
      const push = view.talk.mode === "push" && view.devices.microphone !== "none" && view.devices.microphone !== "lost";
      show(mic.button, !push);
      show(talk.element, push);
      for (const part of [talk, menu]) part.update(view);
      const sound = view.spoken.sound?.getAudioTracks()[0] ?? null;
      show(answer, sound !== null && view.spoken.wanted);
      if (sounding !== sound) answerMeter.attach(sound);
      sounding = sound;
      const track = view.stream?.getAudioTracks()[0] ?? null;
      if (metered === track) return;
      metered = track;
      meter.attach(track);
    },
  };
}
