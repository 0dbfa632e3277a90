// SPDX-License-Identifier: MIT OR Apache-2.0

/**
 * The TypeScript SDK: make a call, get typed events. It knows nothing of any page.
 *
 * ```ts
 * const endpoint: Endpoint = { base: "", ext: ["latency", "scene"] };
 * const session = new Session((stream, signal) => Call.open(endpoint, stream, signal));
 * session.on("event", (event) => console.log(event.type));
 * await session.start(await navigator.mediaDevices.getUserMedia({ audio: true, video: true }));
 * session.ask("What do you see?");
 * ```
 */
export * from "./events";
export { Call, type CallEvents } from "./call";
export { type Device, type Explanation, type Failure, type FailureKind, FailureError, explain, isRetryable, toFailure } from "./failure";
export { type Media, type MediaWish, checkBrowser, constraintsFor, openMedia } from "./media";
export { type Forget, MAX_ATTEMPTS, Session, type SessionEvents, type Status, retryDelay } from "./session";
export type { Endpoint } from "./signalling";
