// SPDX-License-Identifier: MIT OR Apache-2.0

/**
 * A black picture in place of the camera, so that the camera itself can be released (its light goes out) while the
 * server still learns that there is nothing to see.
 */
export class BlackPicture {
  private timer: ReturnType<typeof setInterval> | undefined;

  start(): MediaStreamTrack | null {
    this.stop();
    const canvas = document.createElement("canvas");
    canvas.width = 640;
    canvas.height = 480;
    const context = canvas.getContext("2d");
    if (!context) return null;
    const draw = () => context.fillRect(0, 0, canvas.width, canvas.height);
    draw();
    // A canvas that does not change sends nothing.
    this.timer = setInterval(draw, 500);
    return canvas.captureStream(2).getVideoTracks()[0] ?? null;
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
