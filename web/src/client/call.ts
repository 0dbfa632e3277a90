// SPDX-License-Identifier: MIT OR Apache-2.0
import type { ClientEvent, OtherEvent, ServerEvent } from "./events.js";
import { type Failure, FailureError } from "./failure.js";
import { Line } from "./line.js";
import type { Resume } from "./session.js";
import { type Endpoint, endCall, endCallOnLeave, iceServersOf, isAlive, offerCall } from "./signalling.js";

/** How long ICE candidates are collected before the offer goes out with those found. */
const GATHER_MS = 2000;
/** How long the server may take to answer the offer. */
const ANSWER_MS = 15000;
/** How long the connection may take after the answer. */
const CONNECT_MS = 15000;
/** How long an interruption may last before the call counts as lost. */
const INTERRUPTION_MS = 6000;
/** 640×480 at 30 frames/s needs no more, and a phone's uplink may not have more. */
const VIDEO_BITS_PER_SECOND = 1_500_000;

export interface CallEvents {
  event: ServerEvent;
  /** A message of a type that this client does not know. */
  other: OtherEvent;
  /** Media stopped getting through (true), or gets through again (false). */
  interrupted: boolean;
  /** The call is over, and not because `hangUp` was called. */
  lost: Failure;
  /** A message of the server could not be used. */
  problem: string;
  /** The sound of the answers began to come in. */
  audio: MediaStream;
}

/** One call: a peer connection with the tracks of a stream and the data channel of the events. */
export class Call extends Line {
  private over = false;
  private resumable = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  private constructor(
    private readonly endpoint: Endpoint,
    private readonly pc: RTCPeerConnection,
    private readonly channel: RTCDataChannel,
    private readonly senders: Map<string, RTCRtpSender>,
    /** Where the server keeps this call. */
    readonly location: string,
  ) {
    super();
  }

  /**
   * Offers the stream and waits until events can be exchanged.
   *
   * Throws a `FailureError`; nothing is left open then.
   */
  static async open(endpoint: Endpoint, stream: MediaStream, signal: AbortSignal, resume: Resume | null = null): Promise<Call> {
    const iceServers = await iceServersOf(endpoint, signal);
    const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle", iceServers });
    let call: Call | undefined;
    try {
      const channel = pc.createDataChannel("oai-events");
      // The first events can come before anybody listens: they wait here.
      const early: MessageEvent<string>[] = [];
      channel.onmessage = (message: MessageEvent<string>) => early.push(message);
      const senders = addTracks(pc, stream, endpoint.speech === true);
      const sounds: MediaStream[] = [];
      pc.ontrack = (event) => void sounds.push(soundOf(event));
      await pc.setLocalDescription(await pc.createOffer());
      await gathered(pc, signal);
      const sdp = pc.localDescription?.sdp ?? "";
      const accepted = await offerCall(endpoint, sdp, AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]), fetch, resume);
      call = new Call(endpoint, pc, channel, senders, accepted.location);
      await pc.setRemoteDescription({ type: "answer", sdp: accepted.answer });
      await opened(pc, channel, signal);
      await limitBitrate(senders.get("video"));
      call.listen(early, sounds);
      return call;
    } catch (error) {
      if (call) await call.hangUp();
      pc.close();
      if (error instanceof FailureError) throw error;
      throw new FailureError({ kind: "refused", detail: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Sends an event. Returns false when the call is over. */
  send(event: ClientEvent): boolean {
    if (this.over || this.channel.readyState !== "open") return false;
    this.channel.send(JSON.stringify(event));
    return true;
  }

  /** Sends another track of the same kind, or nothing. Returns false when the call was made without that kind. */
  async replaceTrack(kind: "audio" | "video", track: MediaStreamTrack | null): Promise<boolean> {
    const sender = this.senders.get(kind);
    if (!sender) return false;
    await sender.replaceTrack(track);
    return true;
  }

  /** Ends the call here and on the server. */
  async hangUp(): Promise<void> {
    if (!this.close()) return;
    await endCall(this.endpoint, this.location);
  }

  /** Ends the call from `pagehide`, where nothing can be waited for. */
  leave(): void {
    if (this.close()) endCallOnLeave(this.endpoint, this.location);
  }

  private close(): boolean {
    if (this.over) return false;
    this.over = true;
    clearTimeout(this.timer);
    this.channel.close();
    this.pc.close();
    return true;
  }

  private lose(failure: Failure): void {
    if (this.over) return;
    this.close();
    // The server may still hold it open: a slot somebody else could have, unless it is to be resumed.
    if (!this.resumable) void endCall(this.endpoint, this.location);
    this.emit("lost", failure);
  }

  private listen(early: MessageEvent<string>[], sounds: MediaStream[]): void {
    this.pc.onconnectionstatechange = () => this.onState();
    this.channel.onclose = () => void this.onChannelClosed();
    this.on("event", (event) => {
      if (event.type === "session.resumable" || event.type === "session.resumed") this.resumable = true;
      if (event.type === "session.expired" || event.type === "session.replaced") this.resumable = false;
    });
    const take = (message: MessageEvent<string>) => this.take(String(message.data));
    // After the caller has had its turn to subscribe: not a microtask, since the promise of `open` takes some of those.
    setTimeout(() => {
      if (this.over) return;
      this.channel.onmessage = take;
      early.splice(0).forEach(take);
      for (const sound of sounds) this.emit("audio", sound);
      this.pc.ontrack = (event) => this.emit("audio", soundOf(event));
    }, 0);
  }

  private onState(): void {
    const state = this.pc.connectionState;
    if (this.over) return;
    if (state === "failed") return void this.diagnose();
    clearTimeout(this.timer);
    if (state === "connected") return this.emit("interrupted", false);
    if (state !== "disconnected") return;
    this.emit("interrupted", true);
    this.timer = setTimeout(() => void this.diagnose(), INTERRUPTION_MS);
    // A server that is gone will not come back on this connection: no need to wait for it.
    void isAlive(this.endpoint).then((alive) => {
      if (!alive && this.pc.connectionState === "disconnected") this.lose({ kind: "unreachable" });
    });
  }

  private async onChannelClosed(): Promise<void> {
    if (this.over) return;
    // A session that waits for its client was not ended by this: a restart, say, closes every channel.
    const ended: Failure = this.resumable ? { kind: "lost" } : { kind: "closed" };
    this.lose((await isAlive(this.endpoint)) ? ended : { kind: "unreachable" });
  }

  private async diagnose(): Promise<void> {
    this.lose((await isAlive(this.endpoint)) ? { kind: "lost" } : { kind: "unreachable" });
  }
}

const soundOf = (event: RTCTrackEvent): MediaStream => event.streams[0] ?? new MediaStream([event.track]);

function addTracks(pc: RTCPeerConnection, stream: MediaStream, speech: boolean): Map<string, RTCRtpSender> {
  const senders = new Map<string, RTCRtpSender>();
  for (const track of [...stream.getAudioTracks(), ...stream.getVideoTracks()]) {
    const direction = speech && track.kind === "audio" ? "sendrecv" : "sendonly";
    const init: RTCRtpTransceiverInit = { direction, streams: [stream] };
    const transceiver = track.kind === "video" ? addLayered(pc, track, init) : pc.addTransceiver(track, init);
    if (track.kind === "video") preferVp8(transceiver);
    senders.set(track.kind, transceiver.sender);
  }
  // Nothing is said, but answers are to be heard.
  if (speech && !senders.has("audio")) pc.addTransceiver("audio", { direction: "recvonly" });
  return senders;
}

/** With three temporal layers where the browser has them: the server decodes no more pictures than it looks at. */
function addLayered(pc: RTCPeerConnection, track: MediaStreamTrack, init: RTCRtpTransceiverInit): RTCRtpTransceiver {
  try {
    const layered: RTCRtpEncodingParameters & { scalabilityMode: string } = { scalabilityMode: "L1T3" };
    return pc.addTransceiver(track, { ...init, sendEncodings: [layered] });
  } catch {
    return pc.addTransceiver(track, init);
  }
}

/** VP8 first: every server build decodes it, and Chromium's H.264 encoder drops resolution (measured). */
function preferVp8(transceiver: RTCRtpTransceiver): void {
  const codecs = RTCRtpReceiver.getCapabilities("video")?.codecs;
  if (!codecs || typeof transceiver.setCodecPreferences !== "function") return;
  const rank = (mime: string) => (/vp8/i.test(mime) ? 0 : 1);
  transceiver.setCodecPreferences([...codecs].sort((a, b) => rank(a.mimeType) - rank(b.mimeType)));
}

async function limitBitrate(sender: RTCRtpSender | undefined): Promise<void> {
  if (!sender) return;
  const parameters = sender.getParameters();
  for (const encoding of parameters.encodings ?? []) encoding.maxBitrate = VIDEO_BITS_PER_SECOND;
  // Refused by some browsers; the call works without it.
  await sender.setParameters(parameters).catch(() => undefined);
}

/** Waits until all candidates are in the local description, for at most `GATHER_MS`. */
function gathered(pc: RTCPeerConnection, signal: AbortSignal): Promise<void> {
  if (pc.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, GATHER_MS);
    signal.addEventListener("abort", () => reject(new FailureError({ kind: "aborted" })), { once: true });
    pc.addEventListener("icegatheringstatechange", () => {
      if (pc.iceGatheringState !== "complete") return;
      clearTimeout(timer);
      resolve();
    });
  });
}

function opened(pc: RTCPeerConnection, channel: RTCDataChannel, signal: AbortSignal): Promise<void> {
  if (channel.readyState === "open") return Promise.resolve();
  return new Promise((resolve, reject) => {
    const fail = (failure: Failure) => reject(new FailureError(failure));
    const timer = setTimeout(() => fail({ kind: "no-route", detail: "timed out" }), CONNECT_MS);
    signal.addEventListener("abort", () => fail({ kind: "aborted" }), { once: true });
    pc.addEventListener("connectionstatechange", () => {
      if (pc.connectionState === "failed") fail({ kind: "no-route" });
    });
    channel.onopen = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}
