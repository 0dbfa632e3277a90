// SPDX-License-Identifier: MIT OR Apache-2.0
import { pan, zoomAt } from "../state/timeline_scale";
import type { Strip } from "./timeline_strip";

/** A press that moves less than this is a click. */
const CLICK_PX = 5;
const STEP = 1.6;

/** Wheel, drag, pinch and keys for the strip. */
export function steer(strip: Strip): void {
  const { element } = strip;
  const local = (clientX: number) => clientX - element.getBoundingClientRect().left;
  element.addEventListener("wheel", (e) => {
    e.preventDefault();
    const unit = e.deltaMode === WheelEvent.DOM_DELTA_LINE ? 18 : 1;
    const sideways = e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY);
    if (sideways && !e.ctrlKey) {
      const px = (e.deltaX === 0 ? e.deltaY : e.deltaX) * unit;
      return strip.change((scale, bounds) => pan(scale, px, bounds));
    }
    // A pinch on a trackpad comes as small steps with ctrl.
    const factor = Math.exp((-e.deltaY * unit) / (e.ctrlKey ? 90 : 320));
    const x = local(e.clientX);
    strip.change((scale, bounds) => zoomAt(scale, factor, x, bounds));
  }, { passive: false });
  drag(strip, local);
  keys(strip);
}

function drag(strip: Strip, local: (x: number) => number): void {
  const { element } = strip;
  const down = new Map<number, number>();
  let travelled = 0;
  element.addEventListener("pointerdown", (e) => {
    if (e.button !== 0) return;
    if (down.size === 0) travelled = 0;
    down.set(e.pointerId, e.clientX);
  });
  element.addEventListener("pointermove", (e) => {
    const before = down.get(e.pointerId);
    if (before === undefined) return;
    const others = [...down].filter(([id]) => id !== e.pointerId).map(([, x]) => x);
    down.set(e.pointerId, e.clientX);
    travelled += Math.abs(e.clientX - before);
    const other = others[0];
    if (other !== undefined) {
      const factor = Math.max(12, Math.abs(e.clientX - other)) / Math.max(12, Math.abs(before - other));
      const [x, moved] = [local((e.clientX + other) / 2), (before - e.clientX) / 2];
      travelled += CLICK_PX;
      return strip.change((scale, bounds) => pan(zoomAt(scale, factor, x, bounds), moved, bounds));
    }
    if (travelled < CLICK_PX) return;
    // Not before it is a drag, or the click would go to the strip and not to the block.
    if (!element.hasPointerCapture(e.pointerId)) element.setPointerCapture(e.pointerId);
    element.classList.add("dragging");
    strip.change((scale, bounds) => pan(scale, before - e.clientX, bounds));
  });
  const up = (e: PointerEvent) => {
    down.delete(e.pointerId);
    if (down.size === 0) element.classList.remove("dragging");
  };
  element.addEventListener("pointerup", up);
  element.addEventListener("pointercancel", up);
  element.addEventListener("lostpointercapture", up);
  element.addEventListener("pointerleave", (e) => !element.hasPointerCapture(e.pointerId) && up(e));
  element.addEventListener("click", (e) => travelled < CLICK_PX && strip.pressElement(e.target));
}

function keys(strip: Strip): void {
  const middle = (factor: number) => strip.change((scale, bounds) => zoomAt(scale, factor, bounds.width / 2, bounds), true);
  const side = (share: number) => strip.change((scale, bounds) => pan(scale, share * bounds.width, bounds), true);
  const act: Record<string, (shift: boolean) => void> = {
    "+": () => middle(STEP),
    "=": () => middle(STEP),
    "-": () => middle(1 / STEP),
    "0": () => strip.fit(),
    f: () => strip.fit(),
    n: () => strip.followNow(),
    ArrowLeft: (shift) => (shift ? side(-0.5) : strip.select(-1)),
    ArrowRight: (shift) => (shift ? side(0.5) : strip.select(1)),
    PageUp: () => side(-0.9),
    PageDown: () => side(0.9),
    Home: () => strip.select(-Infinity),
    End: () => strip.select(Infinity),
    Enter: () => strip.activate(),
    " ": () => strip.activate(),
    Escape: () => strip.clearSelection(),
  };
  strip.element.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || !Object.hasOwn(act, e.key)) return;
    e.preventDefault();
    act[e.key]?.(e.shiftKey);
  });
}

/** The two steps of the buttons. */
export const zoomBy = (strip: Strip, inwards: boolean): void =>
  strip.change((scale, bounds) => zoomAt(scale, inwards ? STEP : 1 / STEP, bounds.width / 2, bounds), true);
