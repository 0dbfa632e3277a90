// SPDX-License-Identifier: MIT OR Apache-2.0
import type { Device } from "../client";
import { h, show } from "./dom";
import { type IconName, icon } from "./icons";
import { Meter } from "./meter";
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

function deviceSelect(device: Device, actions: Actions) {
  const select = h("select", { id: `choose-${device}` });
  select.addEventListener("change", () => actions.choose(device, select.value));
  const name = device === "camera" ? "Camera" : "Microphone";
  const element = h("label", { class: "field" }, h("span", {}, name), select);
  return { element, select };
}

/** The device menu. Names are known only once access was given, so it is filled each time it opens. */
function deviceMenu(actions: Actions): { element: HTMLDetailsElement; follow(stream: MediaStream | null): void } {
  const camera = deviceSelect("camera", actions);
  const microphone = deviceSelect("microphone", actions);
  const summary = h("summary", { class: "control", title: "Choose devices", attrs: { "aria-label": "Choose devices" } }, icon("devices"));
  const element = h("details", { class: "menu" }, summary, h("div", { class: "menu-body" }, camera.element, microphone.element));
  let current: MediaStream | null = null;
  const fill = async () => {
    const all = await navigator.mediaDevices.enumerateDevices();
    for (const [part, kind] of [[camera, "videoinput"], [microphone, "audioinput"]] as const) {
      const found = all.filter((d) => d.kind === kind);
      const track = kind === "videoinput" ? current?.getVideoTracks()[0] : current?.getAudioTracks()[0];
      const chosen = track?.getSettings().deviceId;
      part.select.replaceChildren(
        ...found.map((d, n) => h("option", { value: d.deviceId, selected: d.deviceId === chosen }, d.label || `Device ${n + 1}`)),
      );
      part.select.disabled = found.length === 0;
      if (found.length === 0) part.select.append(h("option", {}, "none found"));
    }
  };
  element.addEventListener("toggle", () => element.open && void fill().catch(() => undefined));
  document.addEventListener("pointerdown", (e) => {
    if (element.open && !element.contains(e.target as Node)) element.open = false;
  });
  element.addEventListener("keydown", (e) => {
    if (e.key !== "Escape") return;
    element.open = false;
    summary.focus();
  });
  return { element, follow: (stream) => (current = stream) };
}

const LABELS: Record<Device, Record<DeviceState, string>> = {
  microphone: { on: "Mute the microphone", off: "Unmute the microphone", none: "Add the microphone", lost: "Reconnect the microphone" },
  camera: { on: "Switch the camera off", off: "Switch the camera on", none: "Add the camera", lost: "Reconnect the camera" },
};

/** Buttons for devices and the picture, and the end of the conversation. */
export function controls(actions: Actions): Part {
  const mic = toggleButton("mic", { on: "mic", off: "mic-off" }, () => actions.toggle("microphone"));
  const level = h("span", { class: "meter", attrs: { "aria-hidden": "true" } });
  for (let n = 0; n < 5; n += 1) level.append(h("i", {}));
  mic.button.append(level);
  const camera = toggleButton("camera", { on: "camera", off: "camera-off" }, () => actions.toggle("camera"));
  const mirror = toggleButton("mirror", { on: "mirror", off: "mirror" }, () => actions.mirror());
  const boxes = toggleButton("boxes", { on: "boxes", off: "boxes" }, () => actions.toggleBoxes());
  const menu = deviceMenu(actions);
  const end = h("button", { class: "control end", type: "button", id: "end", title: "End the conversation", attrs: { "aria-label": "End the conversation" } }, icon("end"), h("span", {}, "End"));
  end.addEventListener("click", () => actions.stop());
  const element = h(
    "div",
    { class: "controls", attrs: { role: "toolbar", "aria-label": "Camera and microphone" } },
    mic.button, camera.button, h("span", { class: "divider" }), mirror.button, boxes.button, menu.element, h("span", { class: "spring" }), end,
  );
  const meter = new Meter(level);
  let metered: MediaStreamTrack | null = null;
  return {
    element,
    update(view) {
      show(element, inSession(view.status));
      mic.set(view.devices.microphone === "on", LABELS.microphone[view.devices.microphone]);
      mic.button.classList.toggle("speaking", view.speaking);
      camera.set(view.devices.camera === "on", LABELS.camera[view.devices.camera]);
      mirror.set(view.mirrored, view.mirrored ? "Show the picture as it is" : "Mirror the picture");
      boxes.set(view.boxes, view.boxes ? "Hide the boxes" : "Show the boxes");
      menu.follow(view.stream);
      const track = view.stream?.getAudioTracks()[0] ?? null;
      if (metered === track) return;
      metered = track;
      meter.attach(track);
    },
  };
}
