// SPDX-License-Identifier: MIT OR Apache-2.0

interface Place {
  left: number;
  width: number;
}

const SLIDE_MS = 520;
const SETTLE_MS = 340;

/**
 * Shows how blocks become one: what was there slides together and fades, and what they became opens from where they met.
 * The elements that were there are taken away at the end.
 */
export function mergeOf(into: HTMLElement, place: Place, from: readonly { element: HTMLElement | undefined; place: Place | undefined }[]): void {
  const middle = place.left + place.width / 2;
  let shown = false;
  for (const { element, place: was } of from) {
    if (!element || !was) continue;
    shown = true;
    element.classList.add("ghost");
    element.removeAttribute("id");
    element.setAttribute("aria-hidden", "true");
    element.setAttribute("role", "presentation");
    const shift = middle - (was.left + was.width / 2);
    const here = `translateX(${was.left}px)`;
    const there = `translateX(${was.left + shift}px)`;
    const slide = element.animate(
      [{ transform: here, opacity: 1 }, { transform: there, opacity: 1, offset: 0.75 }, { transform: `${there} scaleX(0.9)`, opacity: 0 }],
      { duration: SLIDE_MS, easing: "cubic-bezier(.5,0,.2,1)", fill: "forwards" },
    );
    const done = () => element.remove();
    slide.onfinish = done;
    slide.oncancel = done;
  }
  if (!shown) return;
  const box = into.querySelector(".event-box");
  box?.animate(
    [{ clipPath: "inset(0 42% round 8px)", opacity: 0 }, { clipPath: "inset(0 30% round 8px)", opacity: 1, offset: 0.3 }, { clipPath: "inset(-8px round 8px)", opacity: 1 }],
    { duration: SETTLE_MS, delay: SLIDE_MS * 0.62, easing: "cubic-bezier(.2,.8,.2,1)", fill: "backwards" },
  );
  into.classList.add("merged");
  setTimeout(() => into.classList.remove("merged"), SLIDE_MS + SETTLE_MS + 900);
}
