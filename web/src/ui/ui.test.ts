// SPDX-License-Identifier: MIT OR Apache-2.0
import { describe, expect, it } from "vitest";
import { type FailureKind, explain } from "../client";
import { LatencyHistory } from "../state/latency";
import { NOTHING } from "../state/memory";
import { connectionText } from "./header";
import { loudness } from "./meter";
import { readParams } from "./params";
import type { View } from "./view";

const KINDS: FailureKind[] = [
  "insecure", "unsupported", "denied", "denied-by-system", "dismissed", "no-camera", "no-microphone", "no-devices", "in-use", "device-lost",
  "unreachable", "capacity", "unauthorised", "refused", "no-route", "lost", "closed", "replaced", "aborted", "internal",
];

const view = (more: Partial<View>): View => ({
  status: { phase: "idle" }, asking: false, failure: null, problems: [], devices: { camera: "none", microphone: "none" }, stream: null,
  retryAt: 0, speaking: false, facts: null, video: null, reduced: null, mirrored: false, boxes: true, turns: [], answering: false, latency: null,
  history: new LatencyHistory(), memory: NOTHING, opened: { seq: 0, citation: null }, host: "localhost:8080", talk: { mode: "open", held: false },
  captions: { on: true, now: { you: null, answer: null } }, spoken: { possible: false, wanted: false, sound: null, speaker: "" }, ...more,
});

describe("words", () => {
  it("has a title and something to do or know for every failure", () => {
    const all = KINDS.map((kind) => explain({ kind }, "localhost:8080"));
    expect(new Set(all.map((e) => e.title)).size).toBe(KINDS.length);
    for (const { title, body } of all) {
      expect(title.length).toBeLessThan(70);
      expect(body.length).toBeGreaterThan(10);
    }
  });

  it("counts down to the next attempt and says why", () => {
    const status = { phase: "waiting", failure: { kind: "unreachable" }, retryInMs: 4000, attempt: 2 } as const;
    const chip = connectionText(view({ status, retryAt: 5000 }), 2500);
    expect(chip.text).toBe("The server cannot be reached · retry in 3 s");
    expect(chip.why).toContain("localhost:8080");
  });
});

describe("loudness", () => {
  it("is 0 for silence, 1 at full scale, and grows in between", () => {
    const tone = (amplitude: number) => Float32Array.from({ length: 1024 }, (_, n) => amplitude * (n % 2 === 0 ? 1 : -1));
    expect(loudness(new Float32Array(1024))).toBe(0);
    expect(loudness(new Float32Array(0))).toBe(0);
    expect(loudness(tone(1))).toBeCloseTo(1);
    expect(loudness(tone(0.1))).toBeGreaterThan(loudness(tone(0.01)));
  });
});

it("reads the address of the page", () => {
  expect(readParams("")).toEqual({ autostart: false, audioProcessing: true, camera: true, microphone: true, mirrored: false });
  expect(readParams("?autostart=1&audio_processing=off&camera=off")).toMatchObject({ autostart: true, audioProcessing: false, camera: false });
});
