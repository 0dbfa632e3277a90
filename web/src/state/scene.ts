// SPDX-License-Identifier: MIT OR Apache-2.0
import type { Box, SceneFacts } from "../client";

/** A box to draw: place and size in fractions of the shown picture. */
export interface Mark {
  /** Stays the same while the thing is followed. */
  key: string;
  kind: "object" | "text";
  caption: string;
  colour: string | null;
  left: number;
  top: number;
  width: number;
  height: number;
}

/** What is worth a chip below the preview. */
export interface Chips {
  main: string | null;
  texts: string[];
  colours: string[];
  /** Why nothing can be seen, in words. */
  unusable: string | null;
}

const MAX_MARKS = 24;
/** A box smaller than this share of either side is noise on a preview. */
const MIN_SIDE = 0.01;

const unit = (v: number): number => (Number.isFinite(v) ? Math.min(1, Math.max(0, v)) : 0);

/** Turns a box of the wire into a place on the page, flipped when the preview is mirrored. Null when it is empty. */
export function place(box: Box, mirrored: boolean): Pick<Mark, "left" | "top" | "width" | "height"> | null {
  if (!Array.isArray(box) || box.length !== 4) return null;
  const [x0, y0, x1, y1] = box.map(unit) as Box;
  const width = x1 - x0;
  const height = y1 - y0;
  if (width < MIN_SIDE || height < MIN_SIDE) return null;
  return { left: mirrored ? 1 - x1 : x0, top: y0, width, height };
}

const percent = (confidence: number): string => `${Math.round(unit(confidence) * 100)}%`;

/** The boxes of the facts, at most `MAX_MARKS`, objects before text. */
export function marks(facts: SceneFacts, mirrored: boolean): Mark[] {
  const found: Mark[] = [];
  for (const object of facts.objects) {
    const where = place(object.box, mirrored);
    if (!where) continue;
    const caption = `${object.label} ${percent(object.confidence)}`;
    found.push({ key: `o${object.track}`, kind: "object", caption, colour: object.colour ?? null, ...where });
  }
  const seen = new Map<string, number>();
  for (const text of facts.texts) {
    const where = place(text.box, mirrored);
    if (!where) continue;
    const copy = (seen.get(text.text) ?? 0) + 1;
    seen.set(text.text, copy);
    found.push({ key: `t${text.text}#${copy}`, kind: "text", caption: text.text, colour: null, ...where });
  }
  return found.slice(0, MAX_MARKS);
}

/** The chips of the facts. */
export function chips(facts: SceneFacts): Chips {
  const colours = (facts.colours ?? []).map((c) => (typeof c === "string" ? c : c.colour));
  return {
    main: facts.labels[0]?.label ?? facts.objects[0]?.label ?? null,
    texts: [...new Set(facts.texts.map((t) => t.text.trim()).filter((t) => t !== ""))].slice(0, 4),
    colours: [...new Set(colours)].slice(0, 4),
    unusable: unusable(facts.unusable ?? null),
  };
}

function unusable(reason: string | null): string | null {
  if (reason === null) return null;
  if (/dark/i.test(reason)) return "Too dark to see anything";
  if (/blank/i.test(reason)) return "The picture is blank";
  return "The picture cannot be used";
}

/** The eleven basic colour terms as CSS colours, for swatches. */
export const SWATCHES: Readonly<Record<string, string>> = {
  black: "#16181a",
  white: "#f8f8f6",
  grey: "#8b9094",
  red: "#d33a2f",
  orange: "#e8832a",
  yellow: "#ecc62f",
  green: "#3b9a4b",
  blue: "#2f6fd3",
  purple: "#8247b5",
  pink: "#ea7fae",
  brown: "#865a35",
};
