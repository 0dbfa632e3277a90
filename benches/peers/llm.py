# SPDX-License-Identifier: MIT OR Apache-2.0
"""The language model beside llama.cpp: the same GGUF, the same tokens, the same threads, alternating, in one run.

A prompt in one piece, then tokens one by one, each time in a fresh process; llama.cpp through llama-cpp-python's C interface, compiled for this machine. Prints
tokens per second, median (least to most), and our median by theirs.
"""
from __future__ import annotations

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
THEIRS = pathlib.Path(__file__).with_name("llama_cpp_speed.py")
MODELS = pathlib.Path(os.environ.get("SIGHTLINE_MODELS", ROOT / "models"))
NAMES = ["qwen2.5-coder-0.5b-instruct", "smollm2-135m-instruct"]
PROMPT, NEW = 328, 64


def last_line(command: list[str], **env: str) -> dict:
    done = subprocess.run(command, env=os.environ | env, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def build() -> str:
    command = ["cargo", "bench", "--locked", "--bench", "engine", "--no-run", "--message-format=json"]
    lines = subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout.splitlines()
    return [path for path in (json.loads(line).get("executable") for line in lines) if path][-1]


def machine() -> str:
    info = pathlib.Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("models", nargs="*", default=[str(MODELS / name / "model.gguf") for name in NAMES])
    args.add_argument("--ours", help="the built bench `engine`; built when left out")
    args.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    args.add_argument("--rounds", type=int, default=5)
    args.add_argument("--data", help="not used")
    options = args.parse_args()
    binary = options.ours or build()
    print(f"{datetime.date.today()}, {machine()}")
    print(f"prompt of {PROMPT} tokens, {NEW} new ones, {options.rounds} rounds in turn; tokens per second, median (least to most)\n")
    print("| model | threads | | sightline | llama.cpp | ours by theirs |")
    print("|---|---|---|---|---|---|")
    versions = set()
    for model in options.models:
        for threads in options.threads:
            ours, theirs = [], []
            for _ in range(options.rounds):
                count = [str(PROMPT), str(NEW)]
                ours.append(last_line([binary, model, *count], RAYON_NUM_THREADS=str(threads), CANDLE_NUM_THREADS="1"))
                theirs.append(last_line([sys.executable, str(THEIRS), model, str(threads), *count]))
            versions |= {f"sightline's kernels: {ours[-1]['level']}", f"{theirs[-1]['version']}, {theirs[-1]['built_for']}"}
            for what in ("prefill", "decode"):
                a, b = [r[what] for r in ours], [r[what] for r in theirs]
                cell = lambda r: f"{statistics.median(r):.1f} ({min(r):.1f} to {max(r):.1f})"
                ratio = statistics.median(a) / statistics.median(b)
                print(f"| {pathlib.Path(model).parent.name} | {threads} | {what} | {cell(a)} | {cell(b)} | {ratio:.2f} |", flush=True)
    print("\n" + "\n".join(sorted(versions)))


if __name__ == "__main__":
    main()
