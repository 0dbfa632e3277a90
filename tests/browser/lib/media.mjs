// SPDX-License-Identifier: MIT OR Apache-2.0
// What the fake camera shows and the fake microphone says.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const RATE = 48000;
const WIDTH = 640;
const HEIGHT = 480;
const FPS = 30;

/** Where the tests leave things. Not committed. */
export const ARTIFACTS = join(dirname(fileURLToPath(import.meta.url)), "../../artifacts");

export function artifact(name) {
  mkdirSync(ARTIFACTS, { recursive: true });
  return join(ARTIFACTS, name);
}

/**
 * A clip of one picture, as a camera would see it: letterboxed to 640×480, swaying by a few pixels, since a real
 * camera never delivers the same frame twice.
 */
export async function makeClip(picture, out, { sway = 6, seconds = 2 } = {}) {
  const decoder = extname(picture).toLowerCase() === ".png" ? "pngdec" : "jpegdec";
  const steps = sway === 0 ? [0] : [0, 2, 4, 6].filter((s) => s <= sway).flatMap((s) => (s === 0 ? [0] : [s, -s]));
  const frames = new Map();
  for (const shift of steps) {
    const still = `${out}.${shift}.jpg`;
    // Through RGB, so that a JPEG's full-range levels become the video levels that Chromium takes them for.
    const graph =
      `filesrc location=${picture} ! ${decoder} ! imagefreeze num-buffers=1 ! videoconvert ! video/x-raw,format=RGB ` +
      `! videoscale add-borders=true ! video/x-raw,width=${WIDTH},height=${HEIGHT},pixel-aspect-ratio=1/1 ` +
      `! videobox left=${shift} right=${-shift} ! videoconvert ! video/x-raw,format=I420,colorimetry=bt601 ` +
      `! jpegenc quality=92 ! filesink location=${still}`;
    await run("gst-launch-1.0", ["-q", ...graph.split(" ")]);
    frames.set(shift, readFileSync(still));
    rmSync(still);
  }
  const all = Array.from({ length: seconds * FPS }, (_, n) => {
    const wanted = sway * Math.sin((2 * Math.PI * n) / (seconds * FPS));
    return frames.get(steps.reduce((best, s) => (Math.abs(s - wanted) < Math.abs(best - wanted) ? s : best)));
  });
  writeFileSync(out, Buffer.concat(all));
  return out;
}

/** Clips one after the other: each picture for so many seconds, the last one for long. */
export async function makeReel(pictures, out, { seconds = 12, lastSeconds = 60, ...how } = {}) {
  const parts = [];
  for (const [n, picture] of pictures.entries()) {
    const part = await makeClip(picture, `${out}.${n}`, { ...how, seconds: n + 1 < pictures.length ? seconds : lastSeconds });
    parts.push(readFileSync(part));
    rmSync(part);
  }
  writeFileSync(out, Buffer.concat(parts));
  return out;
}

/** Speech as samples at 48 kHz, without silence at either end. */
async function speak(text, { voice = "en-us", wordsPerMinute = 150 } = {}) {
  const raw = join(tmpdir(), `sightline-say-${process.pid}-${Math.random().toString(36).slice(2)}.wav`);
  const resampled = `${raw}.48.wav`;
  try {
    await run("espeak-ng", ["-v", voice, "-s", String(wordsPerMinute), "-w", raw, text]);
    const graph = `filesrc location=${raw} ! wavparse ! audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=${RATE},channels=1 ! wavenc ! filesink location=${resampled}`;
    await run("gst-launch-1.0", ["-q", ...graph.split(" ")]);
    return trim(samplesOf(readFileSync(resampled)));
  } finally {
    rmSync(raw, { force: true });
    rmSync(resampled, { force: true });
  }
}

function samplesOf(wav) {
  const at = wav.indexOf("data", 12, "latin1");
  const bytes = wav.subarray(at + 8);
  return new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + (bytes.length & ~1)));
}

function trim(samples) {
  const loud = (s) => Math.abs(s) > 300;
  let end = samples.length;
  while (end > 0 && !loud(samples[end - 1])) end -= 1;
  const start = Math.max(0, samples.findIndex(loud));
  return samples.subarray(start, end);
}

/**
 * A recording in which each question begins at its second, ending in silence. Returns when each one ends, in
 * milliseconds from the start of the recording.
 */
export async function makeSpeech(questions, out, { tailSeconds = 60, ...how } = {}) {
  const spoken = [];
  for (const { text, at } of questions) spoken.push({ text, at, samples: await speak(text, how) });
  const last = Math.max(0, ...spoken.map((s) => s.at * RATE + s.samples.length));
  const all = new Int16Array(Math.ceil(last + tailSeconds * RATE));
  for (const s of spoken) all.set(s.samples, Math.round(s.at * RATE));
  writeFileSync(out, wavOf(all));
  return spoken.map((s) => ({ text: s.text, startMs: s.at * 1000, endMs: s.at * 1000 + (s.samples.length / RATE) * 1000 }));
}

function wavOf(samples) {
  const head = Buffer.alloc(44);
  const size = samples.length * 2;
  head.write("RIFF", 0, "latin1");
  head.writeUInt32LE(36 + size, 4);
  head.write("WAVEfmt ", 8, "latin1");
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(RATE, 24);
  head.writeUInt32LE(RATE * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36, "latin1");
  head.writeUInt32LE(size, 40);
  return Buffer.concat([head, Buffer.from(samples.buffer, samples.byteOffset, size)]);
}

/** Pictures of our own drawing: what is on them is known exactly. */
export const DRAWINGS = {
  "hello-42": `<rect width="640" height="480" fill="#f4f1e8"/><rect x="60" y="120" width="520" height="200" rx="18" fill="#fff" stroke="#222" stroke-width="6"/>
    <text x="320" y="258" font-size="112" font-weight="700" font-family="DejaVu Sans, sans-serif" text-anchor="middle" fill="#111">HELLO 42</text>`,
  "red-circle": `<rect width="640" height="480" fill="#ffffff"/><circle cx="320" cy="240" r="190" fill="#d81e1e"/>`,
  "blue-square": `<rect width="640" height="480" fill="#ffffff"/><rect x="130" y="60" width="380" height="360" fill="#1e4fd8"/>`,
  exit: `<rect width="640" height="480" fill="#0d7a3b"/><text x="320" y="300" font-size="190" font-weight="700" font-family="DejaVu Sans, sans-serif" text-anchor="middle" fill="#fff">EXIT</text>`,
  dark: `<rect width="640" height="480" fill="#020202"/>`,
};

/** Draws one of `DRAWINGS` into a PNG. */
export async function drawPicture(browser, name, out) {
  const context = await browser.newContext({ viewport: { width: WIDTH, height: HEIGHT } });
  const file = `${out}.html`;
  try {
    const page = await context.newPage();
    writeFileSync(file, `<!doctype html><style>body{margin:0}svg{display:block}</style><svg xmlns="http://www.w3.org/2000/svg" width="640" height="480">${DRAWINGS[name]}</svg>`);
    await page.goto(pathToFileURL(file).href);
    await page.screenshot({ path: out });
  } finally {
    rmSync(file, { force: true });
    await context.close();
  }
  return out;
}

/**
 * Real photographs that come inside scikit-image's wheel: Chelsea the cat and an espresso (both CC0), an astronaut
 * (NASA, public domain). Fetched once with pip, never committed. Null when pip cannot get it.
 */
const WHEEL = "scikit-image==0.26.0";
export const PHOTOGRAPHS = ["chelsea.png", "coffee.png", "astronaut.png"];

export async function photographs() {
  const folder = artifact("photographs");
  const paths = Object.fromEntries(PHOTOGRAPHS.map((name) => [basename(name, ".png"), join(folder, name)]));
  if (Object.values(paths).every((p) => existsSync(p))) return paths;
  mkdirSync(folder, { recursive: true });
  const unpack =
    "import sys, zipfile, pathlib\nfolder = pathlib.Path(sys.argv[1])\n" +
    "wheel = zipfile.ZipFile(next(folder.glob('*.whl')))\n" +
    "[(folder / name).write_bytes(wheel.read('skimage/data/' + name)) for name in sys.argv[2:]]";
  try {
    await run("python3", ["-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", folder, WHEEL]);
    await run("python3", ["-c", unpack, folder, ...PHOTOGRAPHS]);
    return paths;
  } catch (error) {
    console.log(`no photographs: ${String(error.stderr ?? error).trim().split("\n").at(-1)}`);
    return null;
  }
}
