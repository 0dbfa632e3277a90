// SPDX-License-Identifier: MIT OR Apache-2.0
import { describe, expect, it } from "vitest";
import type { Box, SceneFacts } from "../client";
import { type Loose, whole } from "../client/testing";
import { chips, marks, place } from "./scene";

const facts = (more: Loose<SceneFacts>): SceneFacts => whole<SceneFacts>({ type: "scene.facts", objects: [], labels: [], texts: [], at_ms: 0, ...more });

describe("place", () => {
  it("keeps size and stays inside, mirrored or not", () => {
    for (const box of [[0.1, 0.2, 0.5, 0.9], [-1, -1, 2, 2], [0.5, 0.5, 0.6, 0.7]] as Box[]) {
      const plain = place(box, false);
      const mirrored = place(box, true);
      if (!plain || !mirrored) throw new Error("both are real boxes");
      expect(mirrored.width).toBeCloseTo(plain.width);
      expect(plain.left + mirrored.left + plain.width).toBeCloseTo(1);
      for (const p of [plain, mirrored]) {
        expect(p.left).toBeGreaterThanOrEqual(0);
        expect(p.left + p.width).toBeLessThanOrEqual(1 + 1e-9);
      }
    }
  });

  it.each<[string, unknown]>([
    ["empty", [0.5, 0.5, 0.5, 0.9]],
    ["inside out", [0.9, 0, 0.1, 1]],
    ["not four numbers", [0, 1]],
    ["not a box", null],
    ["not numbers", [Number.NaN, 0, Number.NaN, 1]],
  ])("gives nothing for a box that is %s", (_, box) => {
    expect(place(box as Box, false)).toBeNull();
  });
});

describe("marks", () => {
  it("has a key of its own for every mark, also for two lines with the same words", () => {
    const text = { text: "EXIT", confidence: 1, box: [0, 0, 0.2, 0.2] as Box };
    const object = { track: 3, label: "cup", confidence: 0.914, box: [0, 0, 1, 1] as Box };
    const found = marks(facts({ texts: [text, text], objects: [object] }), false);
    expect(new Set(found.map((m) => m.key)).size).toBe(3);
    expect(found[0]?.caption).toBe("cup 91%");
  });

  it("is bounded", () => {
    const objects = Array.from({ length: 500 }, (_, track) => ({ track, label: "bird", confidence: 1, box: [0, 0, 1, 1] as Box }));
    expect(marks(facts({ objects }), false).length).toBeLessThanOrEqual(24);
  });
});

describe("chips", () => {
  it("names the main thing, else the first object, else nothing", () => {
    const object = { track: 1, label: "cup", confidence: 1, box: [0, 0, 1, 1] as Box };
    expect(chips(facts({ labels: [{ label: "coffee mug", confidence: 1 }], objects: [object] })).main).toBe("coffee mug");
    expect(chips(facts({ objects: [object] })).main).toBe("cup");
    expect(chips(facts({})).main).toBeNull();
  });

  it("takes colours without repeats", () => {
    expect(chips(facts({ colours: [{ colour: "red", share: 0.5 }, { colour: "red", share: 0.2 }, { colour: "blue", share: 0.1 }] })).colours).toEqual(["red", "blue"]);
  });

  it("says why nothing can be seen", () => {
    expect(chips(facts({ unusable: "dark" })).unusable).toContain("dark");
  });
});
