// SPDX-License-Identifier: MIT OR Apache-2.0
import type { ClientEvent } from "./events.js";
import { type Failure, FailureError } from "./failure.js";
import { Line } from "./line.js";
import type { CallLike, Resume } from "./session.js";
import { type Endpoint, authorised, nameRefusal, sessionQuery } from "./signalling.js";

/** How long the server may take to accept the socket. */
const OPEN_MS = 15000;
/** More than this waiting to be sent, and what is sent next is refused: the network is slower than the caller. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;

/** The part of a WebSocket that is used; Node before 22 brings one in a package. */
export interface SocketLike {
  readonly readyState: number;
  readonly bufferedAmount?: number;
  onopen: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

export type SocketMaker = new (url: string, protocols: string[]) => SocketLike;

const OPEN = 1;

/** A conversation over a WebSocket: events only; pictures and sound travel inside them. */
export class Socket extends Line implements CallLike {
  private over = false;

  private constructor(private readonly socket: SocketLike) {
    super();
  }

  /** Opens one. Throws a `FailureError`; nothing is left open then. */
  static async open(endpoint: Endpoint, resume: Resume | null, signal: AbortSignal, make: SocketMaker): Promise<Socket> {
    const address = `${endpoint.base}/v1/realtime${sessionQuery(endpoint, resume)}`;
    const protocols = ["realtime", ...(endpoint.apiKey ? [`openai-insecure-api-key.${endpoint.apiKey}`] : [])];
    const socket = new make(address.replace(/^http/, "ws"), protocols);
    const early: string[] = [];
    socket.onmessage = (message: { data: unknown }) => void early.push(String(message.data));
    try {
      await opened(socket, signal);
    } catch (error) {
      socket.onclose = null;
      socket.onerror = null;
      socket.close();
      if (error instanceof FailureError) throw error;
      throw new FailureError(await whyNot(address, endpoint, resume));
    }
    const call = new Socket(socket);
    call.listen(early);
    return call;
  }

  send(event: ClientEvent): boolean {
    if (this.over || this.socket.readyState !== OPEN || (this.socket.bufferedAmount ?? 0) > MAX_BUFFERED_BYTES) return false;
    this.socket.send(JSON.stringify(event));
    return true;
  }

  /** There are no tracks here. */
  async replaceTrack(): Promise<boolean> {
    return false;
  }

  async hangUp(): Promise<void> {
    this.leave();
  }

  leave(): void {
    if (this.over) return;
    this.over = true;
    this.socket.close(1000);
  }

  private listen(early: string[]): void {
    this.socket.onclose = (event: { code?: number; reason?: string }) => {
      if (this.over) return;
      this.over = true;
      this.emit("lost", nameClose(event.code ?? 1006, event.reason ?? ""));
    };
    this.socket.onerror = null;
    // After the caller has had its turn to subscribe.
    setTimeout(() => {
      for (const text of early.splice(0)) this.take(text);
      this.socket.onmessage = (message: { data: unknown }) => this.take(String(message.data));
    }, 0);
  }
}

/** What a close code means. Source: RFC 6455 §7.4.1 and the registry of close codes; PROTOCOL.md says when the server uses which. */
export function nameClose(code: number, reason: string): Failure {
  const detail = reason === "" ? `close code ${code}` : reason;
  if (code === 1000 || code === 1001) return { kind: "closed", detail };
  if (code === 1008 || code === 1009 || code === 1003) return { kind: "refused", detail };
  if (code === 1013) return { kind: "capacity", detail };
  return { kind: "lost", detail };
}

function opened(socket: SocketLike, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new FailureError({ kind: "unreachable", detail: "timed out" })), OPEN_MS);
    const end = (then: () => void) => {
      clearTimeout(timer);
      then();
    };
    signal.addEventListener("abort", () => end(() => reject(new FailureError({ kind: "aborted" }))), { once: true });
    socket.onopen = () => end(resolve);
    socket.onerror = () => end(() => reject(new Error("not opened")));
    socket.onclose = () => end(() => reject(new Error("not opened")));
  });
}

/** A WebSocket does not tell why it was not opened: the same address, asked as a page, does. */
async function whyNot(address: string, endpoint: Endpoint, resume: Resume | null): Promise<Failure> {
  try {
    const response = await fetch(address.replace(/^ws/, "http"), { headers: authorised(endpoint), signal: AbortSignal.timeout(2000) });
    const body = await response.text();
    if (response.status !== 400) return nameRefusal(response.status, response.headers.get("Retry-After"), body);
    // It wants a WebSocket there and would not take ours: a session that cannot be resumed, or no room.
    if (resume) return { kind: "refused", detail: "the session cannot be resumed" };
    return { kind: "capacity", detail: "the server answers, but takes no connection now" };
  } catch {
    return { kind: "unreachable" };
  }
}
