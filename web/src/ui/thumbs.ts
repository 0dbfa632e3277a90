// SPDX-License-Identifier: MIT OR Apache-2.0

/** How many pictures are kept: with at most 32 KiB each, 10 MB. */
const KEPT = 320;
const AT_ONCE = 4;
/** A picture that could not be had is asked for again after this long. */
const AGAIN_MS = 10000;

/**
 * The pictures of memory: loaded when something shows them, the newest wish first, a bounded number kept.
 *
 * They go through memory and not through the browser's cache, so that what is forgotten leaves the page as well.
 */
export class Thumbs {
  /** In the order of use; the first is the next to go. */
  private readonly kept = new Map<string, string>();
  private readonly wanted = new Map<string, Set<HTMLImageElement>>();
  private readonly failed = new Map<string, number>();
  private loading = 0;
  private remembered: ReadonlySet<string> = new Set();

  constructor(
    private readonly path: (id: string) => string | null,
    private readonly now: () => number,
  ) {}

  /** Has an image show a picture, now or as soon as it is there. `data-state` of the image says how that stands. */
  show(image: HTMLImageElement, id: string): void {
    if (image.dataset["keyframe"] === id && image.dataset["state"] !== "missing") return;
    image.dataset["keyframe"] = id;
    const url = this.kept.get(id);
    if (url !== undefined) {
      this.kept.delete(id);
      this.kept.set(id, url);
      return this.put(image, url);
    }
    if (this.now() - (this.failed.get(id) ?? -AGAIN_MS) < AGAIN_MS) {
      image.dataset["state"] = "missing";
      return;
    }
    image.removeAttribute("src");
    image.dataset["state"] = "loading";
    const waiting = this.wanted.get(id) ?? new Set();
    waiting.add(image);
    // The newest wish is what the user looks at.
    this.wanted.delete(id);
    this.wanted.set(id, waiting);
    // Not before the image is in the page: an image that was never shown is not loaded for.
    queueMicrotask(() => this.next());
  }

  /** Drops every picture that is not in the set, also those on their way. */
  retain(ids: ReadonlySet<string>): void {
    this.remembered = ids;
    for (const [id, url] of this.kept) {
      if (ids.has(id)) continue;
      URL.revokeObjectURL(url);
      this.kept.delete(id);
    }
    for (const id of this.wanted.keys()) if (!ids.has(id)) this.wanted.delete(id);
    for (const id of this.failed.keys()) if (!ids.has(id)) this.failed.delete(id);
  }

  private next(): void {
    while (this.loading < AT_ONCE) {
      const id = [...this.wanted.keys()].at(-1);
      if (id === undefined) return;
      const images = this.wanted.get(id) as Set<HTMLImageElement>;
      this.wanted.delete(id);
      const shown = [...images].filter((i) => i.isConnected && i.dataset["keyframe"] === id);
      const path = this.path(id);
      if (shown.length > 0 && path !== null) void this.load(id, path, shown);
    }
  }

  private async load(id: string, path: string, images: HTMLImageElement[]): Promise<void> {
    this.loading += 1;
    try {
      const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(15000) });
      if (!response.ok) throw new Error(`HTTP status ${response.status}`);
      const blob = await response.blob();
      if (!this.remembered.has(id)) throw new Error("forgotten meanwhile");
      this.keep(id, URL.createObjectURL(blob), images);
    } catch {
      this.failed.set(id, this.now());
      for (const image of images) if (image.dataset["keyframe"] === id) image.dataset["state"] = "missing";
    } finally {
      this.loading -= 1;
      this.next();
    }
  }

  private keep(id: string, url: string, images: HTMLImageElement[]): void {
    const before = this.kept.get(id);
    if (before !== undefined) URL.revokeObjectURL(before);
    this.kept.set(id, url);
    for (const image of images) if (image.dataset["keyframe"] === id) this.put(image, url);
    for (const [old, oldUrl] of this.kept) {
      if (this.kept.size <= KEPT) break;
      URL.revokeObjectURL(oldUrl);
      this.kept.delete(old);
    }
  }

  private put(image: HTMLImageElement, url: string): void {
    image.src = url;
    image.dataset["state"] = "ready";
  }
}
