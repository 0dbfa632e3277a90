// SPDX-License-Identifier: MIT OR Apache-2.0
import type { Extension } from "./events.js";
import { type Failure, FailureError } from "./failure.js";
import type { Resume } from "./session.js";

export interface Endpoint {
  /** Address of the server without a slash at the end; empty for the page's own. */
  base: string;
  apiKey?: string | undefined;
  /** Additions to the protocol that are wanted; names that the server does not have are passed over. */
  ext: readonly (Extension | (string & {}))[];
  /** Any name; the server shows which is in force. */
  model?: string | undefined;
  /** The access token of a memory that the next call is to continue. */
  memory?: string | undefined;
  /** STUN and TURN servers in the place of those that the server tells of. */
  iceServers?: readonly RTCIceServer[] | undefined;
  /** The answers may be spoken: the call takes sound in, too. */
  speech?: boolean | undefined;
}

/** What stands behind the `?` when a session is opened. */
export function sessionQuery(endpoint: Endpoint, resume: Resume | null): string {
  const asked = [
    ...(endpoint.model === undefined ? [] : [`model=${encodeURIComponent(endpoint.model)}`]),
    ...(endpoint.ext.length > 0 ? [`ext=${endpoint.ext.join(",")}`] : []),
    ...(endpoint.memory === undefined ? [] : [`memory=${encodeURIComponent(endpoint.memory)}`]),
    ...(resume === null ? [] : [`resume=${encodeURIComponent(resume.token)}`, `last_seq=${resume.lastSeq}`]),
  ];
  return asked.length > 0 ? `?${asked.join("&")}` : "";
}

/** What the server gave for an offer. */
export interface Accepted {
  answer: string;
  /** Where this call can be ended. */
  location: string;
}

type Fetch = typeof fetch;

/** Headers of a request, with the key where there is one. */
export function authorised(endpoint: Endpoint, more: Record<string, string> = {}): Record<string, string> {
  return endpoint.apiKey ? { ...more, Authorization: `Bearer ${endpoint.apiKey}` } : more;
}

/** How long the list of STUN and TURN servers is waited for; without it a call is tried all the same. */
const ICE_SERVERS_MS = 3000;

/** The STUN and TURN servers that the server tells of; none where it knows none, or does not say. */
export async function iceServersOf(endpoint: Endpoint, signal: AbortSignal, send: Fetch = fetch): Promise<RTCIceServer[]> {
  if (endpoint.iceServers) return [...endpoint.iceServers];
  try {
    const within = AbortSignal.any([signal, AbortSignal.timeout(ICE_SERVERS_MS)]);
    const response = await send(`${endpoint.base}/v1/realtime/ice_servers`, { headers: authorised(endpoint), cache: "no-store", signal: within });
    if (!response.ok) return [];
    const told = (await response.json()) as { ice_servers?: unknown };
    return Array.isArray(told.ice_servers) ? (told.ice_servers as RTCIceServer[]) : [];
  } catch {
    // Whatever is wrong here is wrong with the offer, too, which says so.
    return [];
  }
}

/** Offers a call. Throws a `FailureError` that names what went wrong. */
export async function offerCall(endpoint: Endpoint, sdp: string, signal: AbortSignal, send: Fetch = fetch, resume: Resume | null = null): Promise<Accepted> {
  const query = sessionQuery(endpoint, resume);
  let response: Response;
  try {
    response = await send(`${endpoint.base}/v1/realtime/calls${query}`, {
      method: "POST",
      headers: authorised(endpoint, { "Content-Type": "application/sdp" }),
      body: sdp,
      signal,
    });
  } catch (error) {
    if (signal.aborted && !(signal.reason instanceof DOMException && signal.reason.name === "TimeoutError")) {
      throw new FailureError({ kind: "aborted" });
    }
    throw new FailureError({ kind: "unreachable", detail: error instanceof Error ? error.message : String(error) });
  }
  const body = await response.text();
  if (!response.ok) throw new FailureError(nameRefusal(response.status, response.headers.get("Retry-After"), body));
  const location = response.headers.get("Location");
  if (location === null) throw new FailureError({ kind: "refused", detail: "the answer has no Location header" });
  return { answer: body, location: `${endpoint.base}${new URL(location, "http://relative").pathname}` };
}

/** Names an answer that is not a success. */
export function nameRefusal(status: number, retryAfter: string | null, body: string): Failure {
  const detail = errorMessage(body) ?? `HTTP status ${status}`;
  if (status === 429 || status === 503) {
    const ms = parseRetryAfter(retryAfter);
    return ms === undefined ? { kind: "capacity", detail } : { kind: "capacity", detail, retryAfterMs: ms };
  }
  if (status === 401 || status === 403) return { kind: "unauthorised", detail };
  // What a proxy says when the server behind it is down.
  if (status === 502 || status === 504) return { kind: "unreachable", detail };
  return { kind: "refused", detail };
}

/** `Retry-After` in milliseconds; seconds only, at most ten minutes. */
export function parseRetryAfter(value: string | null): number | undefined {
  if (value === null || !/^\s*\d+\s*$/.test(value)) return undefined;
  return Math.min(Number(value), 600) * 1000;
}

function errorMessage(body: string): string | undefined {
  try {
    const message = (JSON.parse(body) as { error?: { message?: unknown } }).error?.message;
    return typeof message === "string" ? message : undefined;
  } catch {
    return undefined;
  }
}

/** Ends a call and tells nobody when that fails: the server notices by itself, only later. */
export async function endCall(endpoint: Endpoint, location: string, send: Fetch = fetch): Promise<void> {
  try {
    await send(location, { method: "DELETE", headers: authorised(endpoint), keepalive: true });
  } catch {
    // The server is gone, and the call with it.
  }
}

/** Ends a call while the page is being closed, when only a beacon still gets out. */
export function endCallOnLeave(endpoint: Endpoint, location: string): void {
  // A beacon carries no header: with a key, a request that outlives the page does the same.
  if (endpoint.apiKey || !navigator.sendBeacon(`${location}/hangup`)) void endCall(endpoint, location);
}

/** Whether a server answers at all. */
export async function isAlive(endpoint: Endpoint, send: Fetch = fetch): Promise<boolean> {
  try {
    return (await send(`${endpoint.base}/healthz`, { cache: "no-store", signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false;
  }
}
