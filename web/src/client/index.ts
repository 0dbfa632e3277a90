// SPDX-License-Identifier: MIT OR Apache-2.0

/**
 * `@sightline/client`: a conversation with a Sightline server, with typed events. No dependencies at run time.
 *
 * ```ts
 * const session = await connect({ url: "http://localhost:8080", camera: true, microphone: true, extensions: ["scene"] });
 * session.on("scene.facts", (facts) => console.log(facts.objects.map((o) => o.label)));
 * for await (const words of session.ask("What do you see?")) console.log(words);
 * await session.stop();
 * ```
 */
export * from "./events.js";
export { Answer } from "./answer.js";
export { Call, type CallEvents } from "./call.js";
export { type ConnectOptions, connect } from "./connect.js";
export { type Device, type Explanation, type Failure, type FailureKind, FailureError, explain, isRetryable, toFailure } from "./failure.js";
export { type Media, type MediaWish, checkBrowser, constraintsFor, openMedia } from "./media.js";
export { type AskOptions, type CallLike, type Forget, MAX_ATTEMPTS, type Open, type Resume, Session, type SessionEvents, type Status, retryDelay } from "./session.js";
export type { Endpoint } from "./signalling.js";
export { Socket, type SocketLike, type SocketMaker } from "./socket.js";
