// SPDX-License-Identifier: MIT OR Apache-2.0
import { Call, type Device, type Endpoint, FailureError, type Forget, type MediaWish, type Resume, type ServerEvent, Session, type Status, checkBrowser, openMedia, toFailure } from "../client";
import { Conversation } from "../state/conversation";
import { LatencyHistory, breakdown, reducedText } from "../state/latency";
import { type Citation, NOTHING, keyframePath, remember } from "../state/memory";
import { BlackPicture } from "./camera";
import { chat } from "./chat";
import { controls } from "./controls";
import { h } from "./dom";
import { header } from "./header";
import { latency } from "./latency";
import type { Params } from "./params";
import { seen } from "./seen";
import { Speech } from "./speech";
import { stage } from "./stage";
import { Thumbs } from "./thumbs";
import { timeline } from "./timeline";
import { type Actions, type Part, type TalkMode, type View, inSession } from "./view";

const KINDS = { camera: "video", microphone: "audio" } as const;
/** How long a question waits for the answer before it to stop. */
const CANCEL_MS = 3000;
/** Errors that only say that the page was a moment late. */
const HARMLESS = ["response_cancel_not_active"];

/** What was forgotten, in words. */
function forgottenWords(events: unknown, pictures: unknown): string {
  const count = (n: unknown, one: string) => (typeof n === "number" && n > 0 ? [`${n} ${n === 1 ? one : `${one}s`}`] : []);
  const what = [...count(events, "event"), ...count(pictures, "picture")].join(" and ");
  return what === "" ? "Forgotten. There was nothing in memory." : `Forgotten: ${what}.`;
}

/** The page: holds the state, talks to the session, has the parts drawn. */
export class App implements Actions {
  private readonly session: Session;
  private readonly conversation = new Conversation();
  private readonly history = new LatencyHistory();
  private readonly black = new BlackPicture();
  private readonly parts: Part[];
  private readonly view: View;
  private readonly speech: Speech;
  private apiKey: string | undefined;
  private drawing = false;
  private hadCall = false;
  /** The token of the memory that a call made anew goes on with. */
  private memory: string | null = null;
  private askedForTimeline = false;
  private pending: { text: string; timer: ReturnType<typeof setTimeout> } | null = null;

  constructor(root: HTMLElement, private readonly params: Params) {
    this.session = new Session((stream, signal, resume) => this.call(stream ?? new MediaStream(), signal, resume));
    this.view = {
      status: this.session.status, asking: false, failure: null, problems: [], devices: { camera: "none", microphone: "none" },
      stream: null, retryAt: 0, speaking: false, facts: null, video: null, reduced: null, mirrored: params.mirrored, boxes: true, turns: [], answering: false,
      latency: null, history: this.history, memory: NOTHING, opened: { seq: 0, citation: null }, host: location.host,
      talk: { mode: "open", held: false }, captions: { on: true, now: { you: null, answer: null } }, spoken: { possible: false, wanted: false, sound: null, speaker: "" },
    };
    const now = () => performance.now();
    const thumbs = new Thumbs((id) => keyframePath(this.view.memory, id), now);
    const [head, picture, line, bar, time] = [header(now), stage(this, now), seen(), controls(this), latency()];
    const [strip, talk] = [timeline(this, thumbs, now), chat(this, thumbs)];
    // The strip first: it drops forgotten pictures before the chat shows what is left.
    this.parts = [head, picture, line, bar, time, strip, talk];
    const left = h("div", { class: "left" }, h("section", { class: "card watching", attrs: { "aria-label": "Camera" } }, picture.element, line.element, bar.element), time.element);
    root.replaceChildren(head.element, h("main", { class: "main" }, left, strip.element, talk.element));
    this.speech = new Speech(this.session, this.view, () => this.draw(), now);
    this.session.on("status", (status) => this.onStatus(status));
    this.session.on("event", (event) => this.onEvent(event));
    this.session.on("other", (message) => this.conversation.spoken(message) && this.draw());
    this.session.on("problem", (problem) => console.warn(`sightline: ${problem}`));
    addEventListener("pagehide", () => this.leave());
    navigator.mediaDevices?.addEventListener?.("devicechange", () => void this.onDevices());
    setInterval(() => this.view.status.phase === "waiting" && this.draw(), 250);
    this.draw();
    if (params.autostart) this.start({ camera: params.camera, microphone: params.microphone });
  }

  /** Makes a call, which goes on with the memory that the one before had. */
  private async call(stream: MediaStream, signal: AbortSignal, resume: Resume | null): Promise<Call> {
    const endpoint: Endpoint = { base: "", ext: ["latency", "scene", "video", "memory", "captions", "resume"], speech: true, apiKey: this.apiKey };
    const { memory } = this;
    if (memory === null || resume) return Call.open(endpoint, stream, signal, resume);
    try {
      return await Call.open({ ...endpoint, memory }, stream, signal);
    } catch (error) {
      // The server may know it no longer: a new one, rather than no conversation.
      if (!(error instanceof FailureError) || !["refused", "unauthorised"].includes(error.failure.kind)) throw error;
      this.memory = null;
      return Call.open(endpoint, stream, signal);
    }
  }

  start(wish: { camera: boolean; microphone: boolean }): void {
    void this.begin(wish);
  }

  stop(): void {
    void this.session.stop();
  }

  retry(): void {
    void this.session.retryNow();
  }

  setMode(mode: TalkMode): void {
    this.speech.setMode(mode);
  }

  press(): void {
    this.speech.press();
  }

  release(): void {
    this.speech.release();
  }

  setCaptions(on: boolean): void {
    this.speech.setCaptions(on);
  }

  setSpoken(on: boolean): void {
    this.speech.setSpoken(on);
  }

  setSpeaker(id: string): void {
    void this.speech.setSpeaker(id).catch((error: unknown) => this.conversation.note(`That speaker cannot be used: ${String(error)}`));
  }

  setKey(key: string): void {
    this.apiKey = key === "" ? undefined : key;
  }

  mirror(): void {
    this.view.mirrored = !this.view.mirrored;
    this.draw();
  }

  toggleBoxes(): void {
    this.view.boxes = !this.view.boxes;
    this.draw();
  }

  cancel(): void {
    this.session.cancel();
  }

  forget(what: Forget): void {
    if (!this.session.forget(what)) this.conversation.note("Nothing was forgotten: there is no connection.");
    this.draw();
  }

  watchFor(condition: string): boolean {
    const sent = this.session.watchFor(condition);
    if (!sent) this.conversation.note("Nothing is looked out for: there is no connection.");
    this.draw();
    return sent;
  }

  unwatch(id: string): void {
    this.session.unwatch(id);
  }

  openCitation(citation: Citation): void {
    this.view.opened = { seq: this.view.opened.seq + 1, citation };
    this.draw();
  }

  ask(text: string): void {
    if (this.pending) clearTimeout(this.pending.timer);
    this.pending = null;
    if (!this.conversation.active || !this.session.cancel()) return this.askNow(text);
    // One answer at a time: the question waits until the server says that the one before has stopped.
    this.pending = { text, timer: setTimeout(() => this.askPending(), CANCEL_MS) };
  }

  typing(): void {
    this.session.typing();
  }

  toggle(device: Device): void {
    const state = this.view.devices[device];
    if (state === "none" || state === "lost") return void this.acquire(device);
    if (device === "camera") return void (state === "on" ? this.cameraOff() : this.acquire("camera"));
    const on = state === "off";
    for (const track of this.view.stream?.getAudioTracks() ?? []) track.enabled = on;
    this.view.devices.microphone = on ? "on" : "off";
    this.draw();
  }

  choose(device: Device, id: string): void {
    void this.acquire(device, id);
  }

  private async begin(wish: { camera: boolean; microphone: boolean }): Promise<void> {
    if (this.view.asking || inSession(this.view.status)) return;
    Object.assign(this.view, { asking: true, failure: null, problems: [] });
    this.draw();
    try {
      const hasMedia = navigator.mediaDevices?.getUserMedia !== undefined;
      checkBrowser({ isSecureContext, hasMedia, hasWebRtc: typeof RTCPeerConnection !== "undefined" });
      const { stream, problems } = await this.open(wish);
      this.hadCall = false;
      // A conversation that was ended is over; the next one remembers for itself.
      this.memory = null;
      this.view.stream = stream;
      this.view.problems = problems;
      this.view.devices = { camera: "none", microphone: "none" };
      for (const track of stream.getTracks()) this.watchTrack(track);
      this.view.asking = false;
      await this.session.start(stream);
    } catch (error) {
      this.view.asking = false;
      this.view.failure = toFailure(error);
      this.draw();
    }
  }

  private open(wish: Omit<MediaWish, "audioProcessing">) {
    return openMedia({ ...wish, audioProcessing: this.params.audioProcessing }, (c) => navigator.mediaDevices.getUserMedia(c));
  }

  /** Follows a track: it is in use from now on, until its device goes away. */
  private watchTrack(track: MediaStreamTrack): void {
    const device: Device = track.kind === "video" ? "camera" : "microphone";
    this.view.devices[device] = "on";
    this.speech.adopt(track);
    track.addEventListener("ended", () => {
      if (!this.view.stream?.getTracks().includes(track)) return;
      this.view.stream.removeTrack(track);
      this.view.devices[device] = "lost";
      this.view.problems = [{ kind: "device-lost", device }];
      if (device === "camera") this.view.facts = null;
      void this.session.replaceTrack(KINDS[device], null);
      this.draw();
    });
  }

  /** Something was plugged in or out: a kind of device that went away comes back by itself, the same one or another. */
  private async onDevices(): Promise<void> {
    const found = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    for (const device of ["camera", "microphone"] as const) {
      if (this.view.devices[device] === "lost" && found.some((d) => d.kind === `${KINDS[device]}input`)) await this.acquire(device);
    }
  }

  /** Opens a device, or another one of its kind, while a conversation goes on. */
  private async acquire(device: Device, id?: string): Promise<void> {
    const { stream } = this.view;
    if (!stream) return;
    try {
      const wish = { camera: device === "camera", microphone: device === "microphone", cameraId: id, microphoneId: id };
      const track = (await this.open(wish)).stream.getTracks()[0];
      if (!track) return;
      if (this.view.stream !== stream) return track.stop();
      this.swap(stream, track);
      this.watchTrack(track);
      this.view.problems = [];
      this.draw();
      // A call made without this kind of media cannot take it up: the next one can.
      await (device === "camera" ? this.session.addCamera(track) : this.session.addMicrophone(track));
    } catch (error) {
      this.view.problems = [toFailure(error)];
      this.draw();
    }
  }

  private async cameraOff(): Promise<void> {
    const { stream } = this.view;
    const black = this.black.start();
    if (!stream || !black) return;
    await this.session.replaceTrack("video", black);
    this.swap(stream, black);
    this.view.devices.camera = "off";
    this.view.facts = null;
    this.draw();
  }

  private swap(stream: MediaStream, track: MediaStreamTrack): void {
    for (const old of stream.getTracks().filter((t) => t.kind === track.kind)) {
      stream.removeTrack(old);
      old.stop();
    }
    stream.addTrack(track);
  }

  private onStatus(status: Status): void {
    const before = this.view.status.phase;
    this.view.status = status;
    if (status.phase === "waiting") this.view.retryAt = performance.now() + status.retryInMs;
    if (status.phase === "live" && before === "connecting") {
      const remembers = status.resumed ? "The conversation goes on." : this.memory === null ? "The server begins anew: what was said above is not known to it." : "What was seen is still remembered; the conversation begins anew.";
      if (this.hadCall) this.conversation.note(`Connected again. ${remembers}`);
      this.hadCall = true;
    }
    if (status.phase !== "live" && status.phase !== "interrupted") {
      this.conversation.interrupted();
      Object.assign(this.view, { speaking: false, facts: null, video: null, reduced: null });
    }
    if (status.phase === "ended") this.releaseDevices();
    this.draw();
  }

  private onEvent(event: ServerEvent): void {
    if (event.type === "scene.facts") this.view.facts = this.view.devices.camera === "on" ? event : null;
    if (event.type === "input_audio_buffer.speech_started") this.view.speaking = true;
    if (event.type === "input_audio_buffer.speech_stopped") this.view.speaking = false;
    if (event.type === "input_video.stats") this.view.video = event;
    if (event.type === "response.degraded") this.view.reduced = reducedText(event.step);
    if (event.type === "error" && !HARMLESS.includes(event.error.code ?? "")) this.conversation.note(`The server reports: ${event.error.message}`);
    if (event.type === "response.latency") {
      this.history.add(breakdown(event));
      this.view.latency = this.history.last;
    }
    if (event.type === "session.created") {
      this.askedForTimeline = false;
      // Not what another conversation left, unless it goes on.
      if (this.memory === null) this.view.memory = NOTHING;
    }
    this.view.memory = remember(this.view.memory, event);
    if (event.type === "memory.timeline") this.memory = this.view.memory.accessToken;
    // News of a memory that was never shown whole: asked for, once.
    if (event.type === "memory.updated" && this.view.memory.memoryId === null && !this.askedForTimeline) this.askedForTimeline = this.session.timeline();
    if (event.type === "session.resync_required") {
      this.conversation.note("Some of what happened meanwhile did not get here.");
      this.session.timeline();
    }
    if (event.type === "memory.forgotten") this.conversation.note(forgottenWords(event.events, event.keyframes));
    this.conversation.apply(event);
    if (event.type === "response.done") this.askPending();
    this.draw();
  }

  private askNow(text: string): void {
    const id = this.session.say(text);
    if (id === null) this.conversation.note("The question could not be sent: there is no connection.");
    else this.conversation.typed(id, text);
    this.draw();
  }

  private askPending(): void {
    const { pending } = this;
    if (!pending) return;
    clearTimeout(pending.timer);
    this.pending = null;
    this.askNow(pending.text);
  }

  private leave(): void {
    this.session.leave();
    this.releaseDevices();
  }

  private releaseDevices(): void {
    this.black.stop();
    const { stream } = this.view;
    this.view.stream = null;
    for (const track of stream?.getTracks() ?? []) track.stop();
    this.view.devices = { camera: "none", microphone: "none" };
    this.view.problems = [];
    this.view.speaking = false;
  }

  /** Draws once per frame, however much changes. A hidden page gets no frames, so a timer stands in. */
  private draw(): void {
    if (this.drawing) return;
    this.drawing = true;
    const run = () => {
      this.drawing = false;
      this.view.turns = this.conversation.turns;
      this.view.answering = this.conversation.active !== null;
      for (const part of this.parts) part.update(this.view);
    };
    if (document.hidden) setTimeout(run, 100);
    else requestAnimationFrame(run);
  }
}
