# SPDX-License-Identifier: MIT OR Apache-2.0
"""The language model beside llama.cpp: the same GGUF, the same tokens, the same threads, alternating, in one run.

A prompt in one piece, then tokens one by one, each time in a fresh process; llama.cpp through llama-cpp-python's C interface, compiled for this machine. Prints
tokens per second, median (least to most), and our median by theirs; then the milliseconds of both together, and by how much less that is with ours. `--unquantized MODEL.gguf` sets beside it, in the same turns, what quantizing began with: those weights
in 16 bits, in ours and in llama.cpp. They are dequantized from the file, so only their speed says something.
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
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
THEIRS = pathlib.Path(__file__).with_name("llama_cpp_speed.py")
MODELS = pathlib.Path(os.environ.get("SIGHTLINE_MODELS", ROOT / "models"))
NAMES = ["qwen2.5-coder-0.5b-instruct", "smollm2-135m-instruct"]


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


TO_F16 = """
import sys, llama_cpp
params = llama_cpp.llama_model_quantize_default_params()
params.ftype, params.allow_requantize = llama_cpp.LLAMA_FTYPE_MOSTLY_F16, True
sys.exit(llama_cpp.llama_model_quantize(sys.argv[1].encode(), sys.argv[2].encode(), params))
"""


def cell(rates: list[float]) -> str:
    return f"{statistics.median(rates):.1f} ({min(rates):.1f} to {max(rates):.1f})"


def ratio(ours: list[float], theirs: list[float]) -> str:
    return f"{statistics.median(ours) / statistics.median(theirs):.2f}"


def less(ours: list[float], theirs: list[float]) -> str:
    return f"{100 * (1 - statistics.median(ours) / statistics.median(theirs)):.0f} % less"


def compare(options: argparse.Namespace, binary: str, model: str, threads: int, unquantized: str | None) -> set[str]:
    """Prints the rows of one model; the versions that ran."""
    ours, theirs, own_whole, whole = [], [], [], []
    count = [str(options.prompt), str(options.new)]
    for _ in range(options.rounds):
        own = dict(RAYON_NUM_THREADS=str(threads), CANDLE_NUM_THREADS="1")
        ours.append(last_line([binary, model, *count], **own))
        theirs.append(last_line([sys.executable, str(THEIRS), model, str(threads), *count]))
        if unquantized:
            own_whole.append(last_line([binary, "--sixteen", unquantized, *count], **own))
            whole.append(last_line([sys.executable, str(THEIRS), unquantized, str(threads), *count]))
    for what, of, beside in [
        ("prefill", lambda r: r["prefill"], ratio),
        ("decode", lambda r: r["decode"], ratio),
        ("both, ms", lambda r: 1e3 * (options.prompt / r["prefill"] + options.new / r["decode"]), less),
    ]:
        a = [of(r) for r in ours]
        cells = [cell(a)]
        for runs in (theirs, own_whole, whole):
            if runs:
                b = [of(r) for r in runs]
                cells += [cell(b), beside(a, b)]
        print(f"| {pathlib.Path(model).parent.name} | {threads} | {what} | {' | '.join(cells)} |", flush=True)
    return {f"sightline's kernels: {ours[-1]['level']}", f"{theirs[-1]['version']}, {theirs[-1]['built_for']}"}


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("models", nargs="*", default=[str(MODELS / name / "model.gguf") for name in NAMES])
    args.add_argument("--ours", help="the built bench `engine`; built when left out")
    args.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    args.add_argument("--rounds", type=int, default=5)
    args.add_argument("--prompt", type=int, default=328, help="its tokens: 32 are what a question is beside facts that are there already")
    args.add_argument("--new", type=int, default=64, help="tokens of the answer: 16 are one of a short sentence")
    args.add_argument("--unquantized", help="a model to run in 16 bits beside the others")
    args.add_argument("--data", help="not used")
    options = args.parse_args()
    binary = options.ours or build()
    print(f"{datetime.date.today()}, {machine()}")
    print(f"prompt of {options.prompt} tokens, {options.new} new ones, {options.rounds} rounds in turn; tokens per second, median (least to most)\n")
    columns = ["model", "threads", "", "sightline", "llama.cpp", "ours by theirs"]
    with tempfile.TemporaryDirectory() as folder:
        unquantized = None
        if options.unquantized:
            unquantized = str(pathlib.Path(folder, "f16.gguf"))
            subprocess.run([sys.executable, "-c", TO_F16, options.unquantized, unquantized], check=True, capture_output=True)
            columns += ["sightline, 16 bits", "by that", "llama.cpp, 16 bits", "by that"]
        print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
        versions = set()
        for model in options.models:
            for threads in options.threads:
                versions |= compare(options, binary, model, threads, unquantized)
    print("\n" + "\n".join(sorted(versions)))


if __name__ == "__main__":
    main()
