// SPDX-License-Identifier: MIT OR Apache-2.0
import type { Device, Failure, Forget, SceneFacts, Status, VideoStats } from "../client";
import type { Caption } from "../state/captions";
import type { Turn } from "../state/conversation";
import type { Breakdown, LatencyHistory } from "../state/latency";
import type { Citation, MemoryState } from "../state/memory";

/** `off` was switched off by the user, `none` was never there, `lost` went away. */
export type DeviceState = "on" | "off" | "none" | "lost";

/** The server hears all the time and finds the end of a turn, or a button is held. */
export type TalkMode = "open" | "push";

/** Everything the parts draw from. The app changes it; parts only read. */
export interface View {
  status: Status;
  /** The browser is asking the user for access. */
  asking: boolean;
  /** What stands in the way of a start. */
  failure: Failure | null;
  /** What went wrong with one device while the other works. */
  problems: Failure[];
  devices: Record<Device, DeviceState>;
  stream: MediaStream | null;
  /** When the next attempt comes, on the page's clock. */
  retryAt: number;
  speaking: boolean;
  /** What is seen now; null while nothing is known. A still scene sends no news, so they do not age. */
  facts: SceneFacts | null;
  /** How the server receives the picture. */
  video: VideoStats | null;
  /** What the server gives up to stay in time, in words. */
  reduced: string | null;
  mirrored: boolean;
  boxes: boolean;
  turns: readonly Turn[];
  answering: boolean;
  latency: Breakdown | null;
  history: LatencyHistory;
  /** What the server remembers, as far as it has said. */
  memory: MemoryState;
  /** The citation that was clicked last; `seq` grows with every click. */
  opened: { seq: number; citation: Citation | null };
  talk: { mode: TalkMode; held: boolean };
  captions: { on: boolean; now: Caption };
  /** Answers aloud: whether this server can, whether the user wants them, the sound, and where it comes out. */
  spoken: { possible: boolean; wanted: boolean; sound: MediaStream | null; speaker: string };
  host: string;
}

/** What the user can do. */
export interface Actions {
  start(wish: { camera: boolean; microphone: boolean }): void;
  stop(): void;
  retry(): void;
  toggle(device: Device): void;
  choose(device: Device, id: string): void;
  setMode(mode: TalkMode): void;
  /** The button to talk is held, or let go. */
  press(): void;
  release(): void;
  setCaptions(on: boolean): void;
  setSpoken(on: boolean): void;
  setSpeaker(id: string): void;
  /** A key for a server that asks for one. */
  setKey(key: string): void;
  mirror(): void;
  toggleBoxes(): void;
  ask(text: string): void;
  /** A question is being typed, or is about to be picked. */
  typing(): void;
  cancel(): void;
  forget(what: Forget): void;
  /** Has the server speak up when something happens; false when it cannot be told. */
  watchFor(condition: string): boolean;
  unwatch(id: string): void;
  /** Shows what an answer stands on. */
  openCitation(citation: Citation): void;
}

/** A part of the page: an element that follows the view. */
export interface Part {
  readonly element: HTMLElement;
  update(view: View): void;
}

/** Whether there is a conversation, even if it is interrupted just now. */
export function inSession(status: Status): boolean {
  return status.phase !== "idle" && status.phase !== "ended";
}

/** Whether events get through. */
export function isLive(status: Status): boolean {
  return status.phase === "live" || status.phase === "interrupted";
}
