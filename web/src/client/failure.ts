// SPDX-License-Identifier: MIT OR Apache-2.0

/** What can stand between a user and a conversation. Each kind has words of its own in `explain`. */
export type FailureKind =
  | "insecure"
  | "unsupported"
  | "denied"
  | "denied-by-system"
  | "dismissed"
  | "no-camera"
  | "no-microphone"
  | "no-devices"
  | "in-use"
  | "device-lost"
  | "unreachable"
  | "capacity"
  | "unauthorised"
  | "refused"
  | "no-route"
  | "lost"
  | "closed"
  | "replaced"
  | "aborted"
  | "internal";

export type Device = "camera" | "microphone";

export interface Failure {
  kind: FailureKind;
  /** The device it is about, when it is about one. */
  device?: Device;
  /** How long the server asks us to wait. */
  retryAfterMs?: number;
  /** What the browser or the server said, for the curious. */
  detail?: string;
}

/** A failure as an exception. */
export class FailureError extends Error {
  constructor(readonly failure: Failure) {
    super(failure.detail ?? failure.kind);
    this.name = "FailureError";
  }
}

/** The failure inside anything that was thrown. */
export function toFailure(error: unknown): Failure {
  if (error instanceof FailureError) return error.failure;
  if (error instanceof DOMException && error.name === "AbortError") return { kind: "aborted" };
  return { kind: "internal", detail: error instanceof Error ? error.message : String(error) };
}

/** Whether trying again without the user's help can do any good. */
export function isRetryable(failure: Failure): boolean {
  return ["unreachable", "capacity", "no-route", "lost", "internal"].includes(failure.kind);
}

/** What a person reads: what happened, and what to do about it. */
export interface Explanation {
  title: string;
  body: string;
}

/** Puts a failure in plain words. */
export function explain(failure: Failure, host: string): Explanation {
  const it = failure.device ?? "camera or microphone";
  const seconds = Math.max(1, Math.ceil((failure.retryAfterMs ?? 0) / 1000));
  const said = failure.detail ? ` The server said: ${failure.detail}` : "";
  const words: Record<FailureKind, [string, string]> = {
    insecure: [
      "This address is not secure",
      `Browsers share a camera only with pages on https or on localhost. Open http://localhost instead of http://${host}, or put https in front of the server.`,
    ],
    unsupported: ["This browser cannot make video calls", "It has no WebRTC. Use a current Chromium, Chrome, Edge, Firefox or Safari."],
    denied: [
      `The browser may not use the ${it}`,
      "Access was refused. Open the permission symbol beside the address, allow it there, then start again. You can also go on with only one of the two.",
    ],
    "denied-by-system": [
      `The operating system keeps the ${it} from the browser`,
      "Allow it for this browser in the system's privacy settings, then start again.",
    ],
    dismissed: ["The question about access was closed", "Start again and choose Allow. Nothing is sent before that."],
    "no-camera": ["No camera found", "Plug one in, or go on with the microphone alone: you can talk, but nothing is seen."],
    "no-microphone": ["No microphone found", "Plug one in, or type your questions."],
    "no-devices": ["Neither camera nor microphone found", "Plug one in and start again."],
    "in-use": [`The ${it} is busy`, "Another program or tab is using it. Close that one, then start again."],
    "device-lost": [`The ${it} was disconnected`, "Plug it in again, or choose another one in the device menu."],
    unreachable: ["The server cannot be reached", `Nothing answers at ${host}. Is Sightline running, and is the network up?`],
    capacity: [
      "The server is full",
      failure.retryAfterMs === undefined
        ? "It has as many conversations as it can carry. Try again in a moment."
        : `It has as many conversations as it can carry. Next try in ${seconds} s.`,
    ],
    unauthorised: ["The server asks for a key", `Whoever runs it has one, or makes a short-lived one for you (ek_…).${said}`],
    refused: ["The server refused the call", `Starting again rarely helps.${said}`],
    "no-route": [
      "No path for audio and video",
      "The page reached the server, but WebRTC could not. A firewall probably blocks its UDP ports. Open them, or give the server a TURN relay to name: see “Through firewalls” in its README.",
    ],
    lost: ["The connection was lost", "Audio and video stopped getting through."],
    closed: ["The server ended the conversation", failure.detail ?? "Start again to go on."],
    replaced: ["This conversation goes on elsewhere", "It was opened in another window or on another device. Start again for a new one."],
    aborted: ["Stopped", "You stopped it."],
    internal: ["Something went wrong in the page", failure.detail ?? "Reload it and try again."],
  };
  const [title, body] = words[failure.kind];
  return { title, body };
}
