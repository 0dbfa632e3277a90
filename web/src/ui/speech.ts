// SPDX-License-Identifier: MIT OR Apache-2.0
import type { OtherEvent, ServerEvent, Session, SessionUpdate, Status } from "../client";
import { Captions } from "../state/captions";
import { PushToTalk } from "../state/push";
import { h } from "./dom";
import type { TalkMode, View } from "./view";

const remembered = (name: string): string | null => {
  try {
    return localStorage.getItem(name);
  } catch {
    // Storage can be forbidden; the choice then lasts as long as the page.
    return null;
  }
};
const remember = (name: string, value: string): void => {
  try {
    localStorage.setItem(name, value);
  } catch {
    // As above.
  }
};

/** Whether the browser lets a page choose where sound comes out. */
export const canChooseSpeaker = typeof HTMLMediaElement !== "undefined" && "setSinkId" in HTMLMediaElement.prototype;

/** The two directions of speech: how the user takes a turn, and how answers are heard and read. */
export class Speech {
  private readonly captions = new Captions();
  private readonly push: PushToTalk;
  private readonly audio = h("audio", { autoplay: true, hidden: true });
  private ticking: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly session: Session,
    private readonly view: View,
    private readonly draw: () => void,
    private readonly now: () => number,
  ) {
    this.push = new PushToTalk({
      send: (event) => session.send(event),
      microphone: (open) => this.open(open),
      answering: () => view.answering,
      now,
      changed: () => this.show(),
    });
    view.talk.mode = remembered("talk") === "push" ? "push" : "open";
    view.captions.on = remembered("captions") !== "off";
    view.spoken.wanted = remembered("spoken") === "on";
    session.on("event", (event) => this.onMessage(event as unknown as OtherEvent));
    session.on("other", (message) => this.onMessage(message));
    session.on("session.created", (event) => this.onSession(event));
    session.on("audio", (stream) => this.hear(stream));
    session.on("status", (status) => this.onStatus(status));
  }

  press(): void {
    if (this.view.talk.mode === "push" && this.view.stream?.getAudioTracks().length) this.push.press();
  }

  release(): void {
    this.push.release();
  }

  setMode(mode: TalkMode): void {
    remember("talk", mode);
    this.push.reset();
    this.view.talk.mode = mode;
    this.open(mode === "open" && this.view.devices.microphone !== "off");
    this.session.send({ type: "session.update", session: { audio: { input: turnTaking(mode) } } });
    this.show();
  }

  setCaptions(on: boolean): void {
    remember("captions", on ? "on" : "off");
    this.view.captions.on = on;
    this.draw();
  }

  setSpoken(on: boolean): void {
    remember("spoken", on ? "on" : "off");
    this.view.spoken.wanted = on;
    this.session.send({ type: "session.update", session: { output_modalities: [on ? "audio" : "text"] } });
    this.draw();
  }

  async setSpeaker(id: string): Promise<void> {
    await (this.audio as HTMLAudioElement & { setSinkId?: (id: string) => Promise<void> }).setSinkId?.(id);
    this.view.spoken.speaker = id;
    this.draw();
  }

  /** A new microphone is heard only while the button is held, where there is one to hold. */
  adopt(track: MediaStreamTrack): void {
    if (track.kind === "audio" && this.view.talk.mode === "push") track.enabled = this.push.held;
  }

  private open(open: boolean): void {
    for (const track of this.view.stream?.getAudioTracks() ?? []) track.enabled = open;
  }

  private show(): void {
    this.view.talk.held = this.push.held;
    this.draw();
  }

  /** A conversation that begins knows nothing of how this page wants it. */
  private onSession(event: Extract<ServerEvent, { type: "session.created" }>): void {
    const voice = event.session.audio?.output?.voice;
    this.view.spoken.possible = voice !== undefined && voice !== "none";
    const settings: SessionUpdate = { audio: { input: turnTaking(this.view.talk.mode) } };
    if (this.view.spoken.possible && this.view.spoken.wanted) settings.output_modalities = ["audio"];
    this.session.send({ type: "session.update", session: settings });
  }

  private hear(stream: MediaStream | null): void {
    this.view.spoken.sound = stream;
    this.audio.srcObject = stream;
    // Without a gesture of the user's the browser may refuse; the captions stay.
    if (stream) void this.audio.play().catch(() => undefined);
    this.draw();
  }

  private onMessage(message: OtherEvent): void {
    const now = this.now();
    this.captions.apply(message, now);
    this.showCaptions(now);
    if (this.captions.moving(now)) this.ticking ??= setInterval(() => this.tick(), 150);
  }

  private tick(): void {
    const now = this.now();
    this.showCaptions(now);
    if (!this.captions.moving(now)) this.stopTicking();
  }

  private showCaptions(now: number): void {
    this.view.captions.now = this.captions.at(now);
    this.draw();
  }

  private onStatus(status: Status): void {
    if (status.phase === "live" || status.phase === "interrupted") return;
    this.push.reset();
    this.captions.clear();
    this.stopTicking();
    this.view.captions.now = { you: null, answer: null };
    this.view.talk.held = false;
    if (status.phase === "ended") this.hear(null);
  }

  private stopTicking(): void {
    clearInterval(this.ticking);
    this.ticking = undefined;
  }
}

/** Who decides that a turn is over: the user, with the button, or the server, by what was said. */
function turnTaking(mode: TalkMode): { turn_detection: { type: "semantic_vad" } | null } {
  return { turn_detection: mode === "push" ? null : { type: "semantic_vad" } };
}
