// SPDX-License-Identifier: MIT OR Apache-2.0
import { beforeAll, describe, expect, it } from "vitest";
import { FailureError, explain } from "./failure.js";
import { type MediaWish, checkBrowser, nameMediaError, openMedia } from "./media.js";

const both: MediaWish = { camera: true, microphone: true, audioProcessing: true };

class FakeStream {
  constructor(readonly tracks: string[] = []) {}
  getTracks() {
    return this.tracks;
  }
}

beforeAll(() => {
  (globalThis as Record<string, unknown>)["MediaStream"] = FakeStream;
});

const thrown = (name: string, message = "") => new DOMException(message, name);

/** A machine with these devices; the others fail with the given error. */
function machine(have: { video?: true; audio?: true }, error = "NotFoundError") {
  const asked: MediaStreamConstraints[] = [];
  const get = async (wish: MediaStreamConstraints) => {
    asked.push(wish);
    const kinds = (["audio", "video"] as const).filter((k) => wish[k]);
    if (kinds.some((k) => !have[k])) throw thrown(error);
    return new FakeStream(kinds) as unknown as MediaStream;
  };
  return { asked, get };
}

async function failureOf(work: Promise<unknown>) {
  const error = await work.then(() => null, (e: unknown) => e);
  expect(error).toBeInstanceOf(FailureError);
  return (error as FailureError).failure;
}

describe("openMedia", () => {
  it("asks once when both are there", async () => {
    const { asked, get } = machine({ video: true, audio: true });
    const media = await openMedia(both, get);
    expect(asked).toHaveLength(1);
    expect(media.problems).toEqual([]);
  });

  it("goes on with the microphone when there is no camera, and says so", async () => {
    const media = await openMedia(both, machine({ audio: true }).get);
    expect(media.stream.getTracks()).toEqual(["audio"]);
    expect(media.problems).toMatchObject([{ kind: "no-camera", device: "camera" }]);
  });

  it("goes on with the camera when the microphone is busy", async () => {
    const media = await openMedia(both, machine({ video: true }, "NotReadableError").get);
    expect(media.stream.getTracks()).toEqual(["video"]);
    expect(media.problems).toMatchObject([{ kind: "in-use", device: "microphone" }]);
  });

  it("fails when there is neither", async () => {
    expect(await failureOf(openMedia(both, machine({}).get))).toEqual({ kind: "no-devices" });
  });

  it("does not ask again after a refusal", async () => {
    const { asked, get } = machine({ audio: true }, "NotAllowedError");
    expect(await failureOf(openMedia(both, get))).toMatchObject({ kind: "denied" });
    expect(asked).toHaveLength(1);
  });

  it("switches processing off for tests", async () => {
    const { asked, get } = machine({ video: true, audio: true });
    await openMedia({ ...both, audioProcessing: false }, get);
    expect(asked[0]?.audio).toMatchObject({ echoCancellation: false, noiseSuppression: false, autoGainControl: false });
  });
});

describe("names", () => {
  it.each([
    ["NotAllowedError", "Permission dismissed", "dismissed"],
    ["NotAllowedError", "Permission denied by system", "denied-by-system"],
    ["NotAllowedError", "Permission denied", "denied"],
    ["NotReadableError", "Could not start video source", "in-use"],
    ["OverconstrainedError", "", "no-camera"],
    ["TypeError", "", "internal"],
  ])("%s “%s” is %s", (name, message, kind) => {
    expect(nameMediaError(thrown(name, message), "camera")).toMatchObject({ kind, device: "camera" });
  });

  it("says what to do on an insecure page", () => {
    const scope = { isSecureContext: false, hasMedia: false, hasWebRtc: true };
    expect(() => checkBrowser(scope)).toThrow(FailureError);
    expect(explain({ kind: "insecure" }, "box.lan:8080").body).toContain("http://localhost");
  });
});
