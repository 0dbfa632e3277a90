// SPDX-License-Identifier: MIT OR Apache-2.0

/** What the address of the page can ask for, mostly for tests. */
export interface Params {
  /** `?autostart=1`: start without a click. */
  autostart: boolean;
  /** `?audio_processing=off`: no echo cancelling and the like. */
  audioProcessing: boolean;
  /** `?camera=off`, `?microphone=off`: what `autostart` leaves out. */
  camera: boolean;
  microphone: boolean;
  /** `?mirror=1`: mirror the preview. */
  mirrored: boolean;
}

export function readParams(search: string): Params {
  const query = new URLSearchParams(search);
  const yes = (name: string, fallback: boolean) => {
    const value = query.get(name);
    return value === null ? fallback : !["0", "off", "false", "no"].includes(value);
  };
  return {
    autostart: yes("autostart", false),
    audioProcessing: yes("audio_processing", true),
    camera: yes("camera", true),
    microphone: yes("microphone", true),
    mirrored: yes("mirror", false),
  };
}
