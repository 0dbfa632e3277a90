// SPDX-License-Identifier: MIT OR Apache-2.0

/** Quieter than this many decibels below full scale shows as nothing. */
const FLOOR_DB = -60;

/** Loudness of samples in `-1..1` as a height in `0..1`, on a decibel scale. */
export function loudness(samples: Float32Array): number {
  if (samples.length === 0) return 0;
  let sum = 0;
  for (const s of samples) sum += s * s;
  const db = 10 * Math.log10(sum / samples.length + 1e-12);
  return Math.min(1, Math.max(0, 1 - db / FLOOR_DB));
}

/** Watches how loud a track is and writes it to `--level` of its elements. Nothing leaves the page. */
export class Meter {
  private context: AudioContext | undefined;
  private frame = 0;

  private readonly elements: HTMLElement[];

  constructor(...elements: HTMLElement[]) {
    this.elements = elements;
  }

  attach(track: MediaStreamTrack | null): void {
    this.detach();
    if (!track || typeof AudioContext === "undefined") return;
    this.context = new AudioContext();
    // Started without a gesture the context sleeps; the meter stays empty and nothing else suffers.
    void this.context.resume().catch(() => undefined);
    const analyser = this.context.createAnalyser();
    analyser.fftSize = 1024;
    this.context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let level = 0;
    const draw = () => {
      analyser.getFloatTimeDomainData(samples);
      // Rises at once, falls slowly: a meter that flickers cannot be read.
      level = Math.max(loudness(samples), level * 0.88);
      this.set(level.toFixed(3));
      this.frame = requestAnimationFrame(draw);
    };
    draw();
  }

  detach(): void {
    cancelAnimationFrame(this.frame);
    void this.context?.close().catch(() => undefined);
    this.context = undefined;
    this.set("0");
  }

  private set(level: string): void {
    for (const element of this.elements) element.style.setProperty("--level", level);
  }
}
