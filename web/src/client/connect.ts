// SPDX-License-Identifier: MIT OR Apache-2.0
import { Call } from "./call.js";
import type { SessionUpdate } from "./events.js";
import { FailureError } from "./failure.js";
import { checkBrowser, openMedia } from "./media.js";
import { type CallLike, type Open, Session } from "./session.js";
import type { Endpoint } from "./signalling.js";
import { Socket, type SocketMaker } from "./socket.js";

/** What to connect to, and with what. */
export interface ConnectOptions {
  /** Address of the server, `https://box.example:8080`; in a page, its own when absent. */
  url?: string | undefined;
  /** A short-lived token (`ek_…`) from `POST /v1/realtime/client_secrets`: what a page should hold. */
  token?: string | undefined;
  /** A key of the server: for programs, not for pages. */
  key?: string | undefined;
  /** `true` opens the default camera; a track is used as it is. */
  camera?: boolean | MediaStreamTrack | undefined;
  /** The same for a microphone. */
  microphone?: boolean | MediaStreamTrack | undefined;
  /** Additions to the protocol: `latency`, `scene`, `memory` … */
  extensions?: readonly string[] | undefined;
  /** A conversation whose connection broke goes on (default: true). */
  resume?: boolean | undefined;
  /** The session's settings, as in `session.update`. */
  session?: SessionUpdate | undefined;
  /** The access token of a memory to go on with. */
  memory?: string | undefined;
  model?: string | undefined;
  /** STUN and TURN servers in the place of those that the server tells of. */
  iceServers?: readonly RTCIceServer[] | undefined;
  /** Answers may be spoken: they come as the event `audio`. */
  speech?: boolean | undefined;
  /** How events travel. Default: `webrtc` where a camera or a microphone is given, else `websocket`. */
  transport?: "webrtc" | "websocket" | undefined;
  /** Where the platform has none of its own (Node before 22). */
  WebSocket?: SocketMaker | undefined;
}

/** The endpoint that the options name. */
export function endpointOf(options: ConnectOptions): Endpoint {
  const here = typeof location === "undefined" ? "" : location.origin;
  const base = (options.url ?? here).replace(/^ws/, "http").replace(/\/+$/, "").replace(/\/v1(\/realtime)?$/, "");
  if (base === "") throw new FailureError({ kind: "internal", detail: "connect: `url` is missing, and there is no page whose own it could be" });
  const resume = options.resume !== false;
  return {
    base,
    apiKey: options.token ?? options.key,
    ext: [...(options.extensions ?? []), ...(resume && !options.extensions?.includes("resume") ? ["resume"] : [])],
    memory: options.memory, model: options.model, iceServers: options.iceServers, speech: options.speech,
  };
}

async function mediaOf(options: ConnectOptions): Promise<MediaStream | null> {
  const given = [options.camera, options.microphone].filter((t): t is MediaStreamTrack => typeof t === "object");
  const wish = { camera: options.camera === true, microphone: options.microphone === true, audioProcessing: true };
  if (!wish.camera && !wish.microphone) return given.length > 0 ? new MediaStream(given) : null;
  checkBrowser({ isSecureContext, hasMedia: navigator.mediaDevices?.getUserMedia !== undefined, hasWebRtc: typeof RTCPeerConnection !== "undefined" });
  const { stream } = await openMedia(wish, (c) => navigator.mediaDevices.getUserMedia(c));
  for (const track of given) stream.addTrack(track);
  return stream;
}

/**
 * Connects, and stays connected: a break is mended by itself, where the server can by going on with the same conversation.
 *
 * Throws a `FailureError` when the first connection cannot be made.
 */
export async function connect(options: ConnectOptions = {}): Promise<Session> {
  const wantsMedia = Boolean(options.camera) || Boolean(options.microphone);
  const transport = options.transport ?? (wantsMedia ? "webrtc" : "websocket");
  if (transport === "websocket" && wantsMedia) {
    throw new FailureError({ kind: "unsupported", detail: "connect: a camera or a microphone needs `transport: \"webrtc\"`; over a WebSocket send pictures with `ask`" });
  }
  const endpoint = endpointOf(options);
  const stream = await mediaOf(options);
  const session = new Session(opener(endpoint, transport, options));
  const settings = options.session;
  if (settings) session.on("status", (s) => s.phase === "live" && !s.resumed && session.send({ type: "session.update", session: settings }));
  await new Promise<void>((resolve, reject) => {
    const stop = session.on("status", (status) => {
      if (status.phase !== "live" && status.phase !== "ended" && status.phase !== "waiting") return;
      stop();
      if (status.phase === "live") return resolve();
      reject(new FailureError(status.failure ?? { kind: "aborted" }));
      void session.stop();
    });
    void session.start(stream);
  }).catch((error: unknown) => {
    // What was opened here is closed here; tracks that were given are their owner's.
    for (const track of stream?.getTracks() ?? []) if (track !== options.camera && track !== options.microphone) track.stop();
    throw error;
  });
  return session;
}

function opener(endpoint: Endpoint, transport: "webrtc" | "websocket", options: ConnectOptions): Open {
  return async (stream, signal, resume): Promise<CallLike> => {
    if (transport === "webrtc") return Call.open(endpoint, stream ?? new MediaStream(), signal, resume);
    const make = options.WebSocket ?? (globalThis as { WebSocket?: SocketMaker }).WebSocket;
    if (!make) throw new FailureError({ kind: "unsupported", detail: "connect: this platform has no WebSocket; give one as `WebSocket` (the package `ws`, or Node 22)" });
    return Socket.open(endpoint, resume, signal, make);
  };
}
