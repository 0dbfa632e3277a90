# SPDX-License-Identifier: MIT OR Apache-2.0
"""`make bench-gates`: how many looks the gates of `watch.gates` save on clips, and what that costs of what is known of the scene.

`sightline ask` watches each clip as a live camera would be watched, but at its own pace and with a look a second at most: once with the gates off (every second is looked
at: the truth here), once as shipped. At each second what is known then is compared: the objects with their numbers (F1 of the two bags of labels), and the first label of
the whole picture. Beside it stand a run that is shown as many pictures, at random seconds, and a run without gates whose looks fall on other moments (nine in
ten seconds): the experts do not say the same of two pictures in a row, so hardly any run can be more like the truth than that one. The clips: those of DATA/video, and one that is
made of photographs, each held before the camera for six seconds by a hand that trembles.
"""
from __future__ import annotations

import collections
import fractions
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import common

FPS, HELD_S = 5, 6


def showing(data: pathlib.Path, file: pathlib.Path, photographs: int) -> None:
    """Photographs before the camera: each shifts by a pixel or two and has noise, as a camera's picture has."""
    import io

    import av
    import numpy

    rng = numpy.random.default_rng(1)
    with av.open(str(file), "w") as out:
        stream = out.add_stream("libvpx", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        stream.bit_rate, stream.time_base = 2_000_000, fractions.Fraction(1, FPS)
        for picture in common.pictures(data, photographs):
            with av.open(io.BytesIO(picture), format="mjpeg") as clip:
                image = next(clip.decode(video=0)).to_ndarray(format="rgb24").astype(numpy.int16)
            for _ in range(FPS * HELD_S):
                moved = numpy.roll(image, tuple(rng.integers(-1, 2, 2)), (0, 1)) + rng.normal(0, 2, image.shape)
                frame = av.VideoFrame.from_ndarray(moved.clip(0, 255).astype(numpy.uint8), format="rgb24")
                out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def length(file: pathlib.Path) -> tuple[float, int]:
    """Seconds and pictures of a clip."""
    import av

    with av.open(str(file)) as clip:
        stream = clip.streams.video[0]
        seconds = float(clip.duration / av.time_base)
        return seconds, stream.frames or round(seconds * float(stream.average_rate or FPS))


def watched(file: pathlib.Path, gates: str, seconds: float, fps: float = 1) -> list[dict]:
    """What was known after each look, in their order."""
    import harness

    command = [str(harness.BIN), "ask", str(file), "What do you see?", "--json", "--at", f"{seconds:.2f}", "--set", f"watch.gates={gates}", "--set", f"watch.max_fps={fps}"]
    done = subprocess.run(command, env=harness.environment(), text=True, capture_output=True, check=True)
    facts = {}
    for line in done.stdout.splitlines():
        event = json.loads(line)
        if event["type"] == "scene.facts":
            # The look at the end is told once more for the question.
            facts.setdefault(event["at_ms"], event)
        elif event["type"] == "response.created":
            break
    return list(facts.values())


def known(event: dict | None) -> tuple[collections.Counter, str | None]:
    if event is None:
        return collections.Counter(), None
    return collections.Counter(o["label"] for o in event["objects"]), event["labels"][0]["label"] if event["labels"] else None


def likeness(truth: list[dict], other: list[dict]) -> tuple[float, float]:
    """Over the seconds of the truth: F1 of the objects, and how often the first label is the same."""
    ours, at, pairs = 0, None, []
    for event in truth:
        while ours < len(other) and other[ours]["at_ms"] <= event["at_ms"] + 50:
            at, ours = other[ours], ours + 1
        pairs.append((known(event), known(at)))
    both = sum((a[0] & b[0]).total() for a, b in pairs)
    all_ = sum(a[0].total() + b[0].total() for a, b in pairs)
    return (2 * both / all_ if all_ else 1.0), sum(a[1] == b[1] for a, b in pairs) / len(pairs)


def sparse(file: pathlib.Path, to: pathlib.Path, looks: int, seconds: float, seed: int) -> None:
    """Of the clip, the pictures at so many random seconds, its first among them."""
    import av

    chosen = sorted([0, *random.Random(seed).sample(range(1, int(seconds)), looks - 1)])
    with av.open(str(file)) as clip, av.open(str(to), "w") as out:
        source = clip.streams.video[0]
        stream = out.add_stream("libvpx", rate=30)
        stream.width, stream.height, stream.pix_fmt = source.width // 2 * 2, source.height // 2 * 2, "yuv420p"
        stream.bit_rate, stream.options = 8_000_000, {"crf": "4", "lag-in-frames": "0"}
        stream.codec_context.time_base = fractions.Fraction(1, 1000)
        for frame in clip.decode(source):
            if chosen and frame.time is not None and frame.time >= chosen[0]:
                # Those of the other runs do not fall on whole seconds either.
                picture = frame.reformat(format="yuv420p", width=stream.width, height=stream.height)
                picture.pts, picture.time_base = round(frame.time * 1000), fractions.Fraction(1, 1000)
                chosen.pop(0)
                out.mux(stream.encode(picture))
        out.mux(stream.encode(None))


def main() -> int:
    args = common.arguments(__doc__, quick="two photographs", data="where clips and photographs lie")
    args.add_argument("--photographs", type=int, default=20)
    args = args.parse_args()
    common.need("gates")
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder) / "showing.webm"
        showing(args.data, made, 2 if args.quick else args.photographs)
        for file in [made] if args.quick else [*sorted((args.data / "video").glob("*.mp4")), made]:
            seconds, pictures = length(file)
            truth, gated = watched(file, "", seconds), watched(file, "luma,patches", seconds)
            share = 1 - len(gated) / len(truth)
            few = pathlib.Path(folder) / "few.webm"
            sparse(file, few, len(gated), seconds, seed=1)
            runs = {"gates": gated, "as many at random": watched(few, "", seconds), "all, at other moments": watched(file, "", seconds, 0.9)}
            rows = {name: likeness(truth, run) for name, run in runs.items()}
            print(
                f"gates | {file.name}, {seconds:.0f} s | {len(truth)} looks at one a second, {len(gated)} with gates: {100 * share:.0f} % skipped; of {pictures} pictures {100 * (1 - len(gated) / pictures):.1f} % | "
                + " | ".join(f"{name}: objects F1 {100 * f1:.1f}, first label {100 * label:.1f} %" for name, (f1, label) in rows.items()),
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
