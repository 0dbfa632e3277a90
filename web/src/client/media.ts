// SPDX-License-Identifier: MIT OR Apache-2.0
import { type Device, type Failure, FailureError } from "./failure.js";

/** What to open. A `deviceId` picks one; without it the browser's default is used. */
export interface MediaWish {
  camera: boolean;
  microphone: boolean;
  cameraId?: string | undefined;
  microphoneId?: string | undefined;
  /** Echo cancelling, noise suppression and gain control. Tests switch them off to hear exactly what was played. */
  audioProcessing: boolean;
}

/** What was opened, and what could not be. */
export interface Media {
  stream: MediaStream;
  problems: Failure[];
}

const NAMES: Record<Device, "video" | "audio"> = { camera: "video", microphone: "audio" };

/** The constraints for one kind of device. */
export function constraintsFor(device: Device, wish: MediaWish): MediaTrackConstraints {
  if (device === "camera") {
    return {
      width: { ideal: 640 },
      height: { ideal: 480 },
      frameRate: { ideal: 30, max: 30 },
      ...(wish.cameraId ? { deviceId: { exact: wish.cameraId } } : { facingMode: { ideal: "environment" } }),
    };
  }
  const on = wish.audioProcessing;
  return {
    echoCancellation: on,
    noiseSuppression: on,
    autoGainControl: on,
    channelCount: { ideal: 1 },
    ...(wish.microphoneId ? { deviceId: { exact: wish.microphoneId } } : {}),
  };
}

/** Names what `getUserMedia` threw. `device` is undefined when it was asked for both at once. */
export function nameMediaError(error: unknown, device?: Device): Failure {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  const detail = error instanceof Error || error instanceof DOMException ? error.message : String(error);
  const about = device === undefined ? {} : { device };
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      if (/dismissed/i.test(detail)) return { kind: "dismissed", detail, ...about };
      if (/system/i.test(detail)) return { kind: "denied-by-system", detail, ...about };
      return { kind: "denied", detail, ...about };
    case "NotFoundError":
    case "OverconstrainedError":
      if (device === undefined) return { kind: "no-devices", detail };
      return { kind: device === "camera" ? "no-camera" : "no-microphone", detail, device };
    case "NotReadableError":
    case "AbortError":
      return { kind: "in-use", detail, ...about };
    default:
      return { kind: "internal", detail, ...about };
  }
}

/** Fails when this page can have no camera at all. */
export function checkBrowser(scope: { isSecureContext: boolean; hasMedia: boolean; hasWebRtc: boolean }): void {
  if (!scope.isSecureContext) throw new FailureError({ kind: "insecure" });
  if (!scope.hasMedia || !scope.hasWebRtc) throw new FailureError({ kind: "unsupported" });
}

type GetUserMedia = (constraints: MediaStreamConstraints) => Promise<MediaStream>;

/**
 * Opens what is wished for. Both devices are asked for at once, so that there is one question; when one of them is
 * missing or busy the other is used alone and the problem is reported beside it.
 *
 * Throws a `FailureError` when nothing could be opened, or when the user refused.
 */
export async function openMedia(wish: MediaWish, getUserMedia: GetUserMedia): Promise<Media> {
  const devices: Device[] = [...(wish.camera ? ["camera" as const] : []), ...(wish.microphone ? ["microphone" as const] : [])];
  const only = devices.length === 1 ? devices[0] : undefined;
  try {
    const constraints: MediaStreamConstraints = {};
    for (const device of devices) constraints[NAMES[device]] = constraintsFor(device, wish);
    return { stream: await getUserMedia(constraints), problems: [] };
  } catch (error) {
    const failure = nameMediaError(error, only);
    if (only !== undefined || !["no-devices", "in-use"].includes(failure.kind)) throw new FailureError(failure);
    return openOneByOne(devices, wish, getUserMedia);
  }
}

async function openOneByOne(devices: Device[], wish: MediaWish, getUserMedia: GetUserMedia): Promise<Media> {
  const problems: Failure[] = [];
  const tracks: MediaStreamTrack[] = [];
  for (const device of devices) {
    try {
      const stream = await getUserMedia({ [NAMES[device]]: constraintsFor(device, wish) });
      tracks.push(...stream.getTracks());
    } catch (error) {
      problems.push(nameMediaError(error, device));
    }
  }
  if (tracks.length > 0) return { stream: new MediaStream(tracks), problems };
  const missing = problems.every((p) => p.kind === "no-camera" || p.kind === "no-microphone");
  throw new FailureError(missing ? { kind: "no-devices" } : (problems[0] ?? { kind: "no-devices" }));
}
