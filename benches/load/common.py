# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the measurements of a loaded server share: a client that asks in real time, pictures and sound made once, percentiles, what a process uses."""
from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import fractions
import json
import math
import os
import pathlib
import random
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests" / "python"), str(ROOT / "benches" / "peers")]

import harness  # noqa: E402
from harness import LONG, Server, Talk, http, text  # noqa: E402
from ingest import used_s  # noqa: E402
from measure_ahead import QUESTIONS, RATE, spoken  # noqa: E402,F401

STEP_S = 0.04
SILENCE = bytes(int(RATE * STEP_S) * 2)
SIZE = (640, 480)


def at(values: list[float], share: float) -> float:
    """The smallest value that so many of all do not pass."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def arguments(doc: str, quick: str, data: str) -> argparse.ArgumentParser:
    """What every measurement takes."""
    args = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--quick", action="store_true", help=f"{quick}: whether this still works")
    args.add_argument("--data", type=pathlib.Path, default=ROOT.parent / "shared" / "data", help=data)
    return args


def need(name: str) -> None:
    """Ends with 2 where there is no server or no weights."""
    if reason := harness.missing():
        print(f"{name}: {reason}")
        sys.exit(2)


def jpeg(image) -> bytes:
    """A picture of numpy's, 640×480."""
    import av

    codec = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height = SIZE
    codec.pix_fmt, codec.time_base = "yuvj420p", fractions.Fraction(1, 30)
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuvj420p")
    return b"".join(bytes(p) for p in [*codec.encode(frame), *codec.encode(None)])


def pictures(data: pathlib.Path, count: int, seed: int = 1) -> list[bytes]:
    """JPEGs of 640×480: photographs where `data` has some, otherwise blocks of colour."""
    import av
    import numpy

    files = sorted((data / "scenes").glob("*.jpg"))
    random.Random(seed).shuffle(files)
    made = []
    for file in files[:count]:
        with av.open(str(file)) as clip:
            frame = next(clip.decode(video=0))
            made.append(jpeg(frame.reformat(width=SIZE[0], height=SIZE[1], format="rgb24").to_ndarray()))
    noise = numpy.random.default_rng(seed)
    while len(made) < count:
        blocks = noise.integers(0, 255, (SIZE[1] // 40, SIZE[0] // 40, 3), numpy.uint8)
        made.append(jpeg(blocks.repeat(40, 0).repeat(40, 1)))
    return made


def append(sound: bytes | None = None, *frames: bytes) -> str:
    """An `input_audio_buffer.append`, ready to be sent."""
    event = {"type": "input_audio_buffer.append"}
    if sound is not None:
        event["audio"] = base64.b64encode(sound).decode()
    if frames:
        event["video_frames"] = [base64.b64encode(f).decode() for f in frames]
    return json.dumps(event)


TYPED_S = 1.0


class Asker:
    """A session whose microphone is always on: it hears silence, and now and then a question."""

    def __init__(self, talk: Talk) -> None:
        self.talk, self.latencies = talk, []
        self.said: list[str] = []
        self.first, self.done, self.ended = asyncio.Event(), asyncio.Event(), 0.0

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, server: Server, turn: str = "semantic_vad", tokens: int = 24):
        async with Talk.open(server, "model=sightline&ext=latency") as talk:
            session = {"type": "realtime", "instructions": "Answer in one short sentence.", "max_output_tokens": tokens}
            await talk.send("session.update", session={**session, "audio": {"input": {"turn_detection": {"type": turn}}}})
            await talk.until("session.updated")
            asker = cls(talk)
            tasks = [asyncio.create_task(asker.listen()), asyncio.create_task(asker.speak())]
            try:
                yield asker
            finally:
                for task in tasks:
                    task.cancel()

    async def listen(self) -> None:
        async for raw in self.talk.socket:
            event = json.loads(raw)
            if event["type"] == "response.output_text.delta":
                self.first.set()
            elif event["type"] == "response.latency":
                self.latencies.append(event)
            elif event["type"] == "response.done":
                self.done.set()

    async def speak(self) -> None:
        """20 ms of jitter do not matter; falling behind does, so the clock says what is due."""
        silence, began, sent = append(SILENCE), time.monotonic(), 0
        while True:
            await self.talk.socket.send(self.said.pop(0) if self.said else silence)
            sent += 1
            await asyncio.sleep(max(0.0, began + sent * STEP_S - time.monotonic()))

    async def ask_aloud(self, sound: list[str], latest_s: float = 30) -> float:
        """Seconds from the last word to the first of the answer; `sound` as `in_steps` makes it."""
        self.first.clear()
        self.done.clear()
        self.said += sound
        while self.said:
            await asyncio.sleep(STEP_S / 4)
        return await self.answered(time.monotonic(), latest_s)

    async def ask_in_writing(self, words: str, latest_s: float = 30) -> float:
        """Seconds from the question to the first word of the answer."""
        self.first.clear()
        self.done.clear()
        began = time.monotonic()
        await self.talk.send("conversation.item.create", item={"type": "message", "role": "user", "content": [text(words)]})
        await self.talk.send("response.create")
        return await self.answered(began, latest_s)

    async def ask_typed(self, words: str, latest_s: float = 30) -> float:
        """The same of a client that tells of the typing, as the page does; who types takes a second at the least."""
        await self.talk.send("input_text.typing")
        await asyncio.sleep(TYPED_S)
        return await self.ask_in_writing(words, latest_s)

    async def answered(self, began: float, latest_s: float) -> float:
        await asyncio.wait_for(self.first.wait(), latest_s)
        took = time.monotonic() - began
        await asyncio.wait_for(self.done.wait(), 2 * latest_s)
        return took


def in_steps(sound: bytes) -> list[str]:
    """A question as the appends of a microphone."""
    size = len(SILENCE)
    return [append(sound[i : i + size].ljust(size, b"\0")) for i in range(0, len(sound), size)]


def stages(latencies: list[dict]) -> dict[str, list[float]]:
    """Milliseconds of each stage that took part."""
    names = ("vad_end_ms", "asr_ms", "recall_ms", "perceive_ms", "prefill_ms", "first_token_ms", "total_ms")
    return {n: got for n in names if (got := [e[n] for e in latencies if e[n] is not None])}


def part(file: str, *args: str) -> subprocess.Popen:
    """A client in a process of its own, at the lowest priority: it stands for another machine, and must not take the server's time."""
    return subprocess.Popen([sys.executable, "-W", "ignore", file, *args], preexec_fn=lambda: os.nice(19))


__all__ = ["LONG", "QUESTIONS", "RATE", "ROOT", "Asker", "Server", "Talk", "append", "at", "http", "in_steps", "jpeg", "part", "pictures", "spoken", "stages", "text", "used_s"]
