# SPDX-License-Identifier: MIT OR Apache-2.0
"""`make answer-ahead`: from the last word of a spoken question to the first word of its answer, with and without `dialogue.answer_ahead`.

Two servers, the same but for that key, are asked the same questions in turn, each in real time over a WebSocket; the one that is not asked
does nothing. Told are the median and the 95th percentile of what a client sees, by kind of `turn_detection`, and how many answers begun ahead
were used. Voices are espeak-ng's. An argument is how many rounds are asked (default 3).
"""
from __future__ import annotations

import asyncio
import base64
import pathlib
import subprocess
import sys
import tempfile
import time

from harness import Server, Talk, missing, pcm

QUESTIONS = [
    "What is the capital of France?",
    "How many days does a week have?",
    "Can you tell me a short joke?",
    "Which colour do you get from blue and yellow?",
    "What do bees make?",
    "Name three kinds of fruit please.",
]
RATE, STEP_S = 24_000, 0.04
TURNS = {"server_vad": {"type": "server_vad"}, "semantic_vad": {"type": "semantic_vad"}}


def spoken(words: str, folder: pathlib.Path, rate: int = RATE) -> bytes:
    """espeak-ng's voice, 16-bit mono, without the silence around it."""
    path = folder / "question.wav"
    subprocess.run(["espeak-ng", "-v", "en-gb+f2", "-s", "160", "-w", path, words], check=True, timeout=30)
    sound = pcm(path, rate)
    loud = [i for i in range(0, len(sound), 2) if abs(int.from_bytes(sound[i : i + 2], "little", signed=True)) > 300]
    return sound[loud[0] : loud[-1] + 2]


async def ask(server: Server, turn: dict, sound: bytes) -> float:
    """Milliseconds from the last word to the first of the answer."""
    async with Talk.open(server) as talk:
        await talk.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": turn}}})
        await talk.until("session.updated")
        # The prompt's beginning is in the cache, as in the middle of a conversation.
        await asyncio.sleep(2)
        step = int(RATE * STEP_S) * 2
        silence, began = bytes(step), time.monotonic()
        ends = began + 0.4 + len(sound) / 2 / RATE
        stream = bytes(int(RATE * 0.4) * 2) + sound

        async def hear() -> None:
            at = 0
            while True:
                part = stream[at : at + step].ljust(step, b"\0") if at < len(stream) else silence
                await talk.send("input_audio_buffer.append", audio=base64.b64encode(part).decode())
                at += step
                await asyncio.sleep(max(0.0, began + at / 2 / RATE - time.monotonic()))

        hearing = asyncio.create_task(hear())
        try:
            await talk.until("response.output_text.delta", 30)
            took = 1_000 * (time.monotonic() - ends)
            await talk.until("response.done", 60)
        finally:
            hearing.cancel()
        return took


def told(times: list[float]) -> str:
    times = sorted(times)
    at = lambda share: times[min(len(times) - 1, int(share * len(times)))]  # noqa: E731
    return f"p50 {at(0.5):.0f} ms, p95 {at(0.95):.0f} ms of {len(times)}"


async def main(rounds: int) -> None:
    servers = {way: Server(f"ahead-{way}", f"dialogue.answer_ahead={way}") for way in ("false", "true")}
    try:
        for server in servers.values():
            server.wait()
        times: dict[tuple[str, str], list[float]] = {}
        with tempfile.TemporaryDirectory() as folder:
            sounds = [spoken(q, pathlib.Path(folder)) for q in QUESTIONS]
        for number in range(rounds):
            for sound in sounds:
                for kind, turn in TURNS.items():
                    for way, server in servers.items():
                        took = await ask(server, turn, sound)
                        if number > 0 or rounds == 1:
                            times.setdefault((kind, way), []).append(took)
        for (kind, way), list_ in sorted(times.items()):
            print(f"{kind:<13} answer_ahead={way:<6} last word to first word of the answer: {told(list_)}")
        ahead = servers["true"]
        used, made = (ahead.metric("sightline_answers_ahead_total", label) for label in ('result="used"', "result="))
        print(f"answers begun ahead: {made:.0f}, of which {used:.0f} were used")
    finally:
        for server in servers.values():
            server.stop()


if __name__ == "__main__":
    if why := missing():
        sys.exit(f"answer-ahead: {why}")
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
