# SPDX-License-Identifier: MIT OR Apache-2.0
"""End of speech to first token: Sightline beside a Pipecat pipeline with the same models, question by question in turn, in one run.

Both hear the same synthesized questions in real time (20 ms at a time, silence after the last word) and answer in text. The clock runs from the last sample of the last
word that was handed over to the first piece of the answer that a client has. Pipecat: Silero VAD, its own turn detection as it comes (Smart Turn), Whisper tiny.en by
faster-whisper (INT8), the same GGUF by llama.cpp's OpenAI server with the prompt kept between turns. Sightline: over a WebSocket, `semantic_vad`, the same Whisper, the same GGUF;
then once more with its default recogniser. Both have the whole machine to themselves in their turns; neither speaks nor sees.
"""
from __future__ import annotations

import argparse
import asyncio
import base64
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import wave

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "python"))

INSTRUCTIONS = "You are a helpful assistant. Answer in one short sentence."
QUESTIONS = [
    "What is the capital of France?",
    "How many legs does a spider have?",
    "Which is heavier, a cup of water or a cup of oil?",
    "Tell me the name of a yellow fruit.",
    "What do bees make?",
    "Where does the sun rise?",
    "Can you name three colours of the rainbow?",
    "What should I drink when I am thirsty?",
    "How do I boil an egg?",
    "Who wrote Romeo and Juliet?",
    "Please explain what a bicycle is.",
    "Why is the sky blue?",
]
STEP_S = 0.02
LATEST_S = 20


def spoken(text: str, folder: pathlib.Path, rate: int) -> bytes:
    """16-bit mono at `rate`, without the silence around it."""
    file = folder / "said.wav"
    subprocess.run(["espeak-ng", "-v", "en-us", "-s", "150", "-w", str(file), text], check=True)
    with wave.open(str(file)) as sound:
        have, raw = sound.getframerate(), sound.readframes(sound.getnframes())
    import numpy

    samples = numpy.frombuffer(raw, numpy.int16).astype(numpy.float32)
    loud = numpy.nonzero(numpy.abs(samples) > 300)[0]
    samples = samples[loud[0] : loud[-1] + 1]
    at = numpy.arange(int(len(samples) * rate / have)) * have / rate
    return numpy.interp(at, numpy.arange(len(samples)), samples).astype(numpy.int16).tobytes()


class Client:
    """What a client has of the answer."""

    def __init__(self) -> None:
        self.heard, self.over, self.said = asyncio.Event(), asyncio.Event(), []

    def piece(self, words: str) -> None:
        self.said.append(words)
        self.heard.set()


async def say(sound: bytes, rate: int, hand_over, heard: asyncio.Event) -> float | None:
    """Hands the sound over as it would come from a microphone, then silence; seconds from the last word to `heard`."""
    step = int(rate * STEP_S) * 2
    heard.clear()
    began, i, ended = time.monotonic(), 0, None
    while ended is None or time.monotonic() - ended < LATEST_S:
        piece = sound[i * step : (i + 1) * step]
        if not piece and ended is None:
            ended = time.monotonic() - STEP_S
        if ended is not None and heard.is_set():
            return time.monotonic() - ended
        await hand_over(piece.ljust(step, b"\0"))
        i += 1
        wait = began + i * STEP_S - time.monotonic()
        if ended is None or wait <= 0:
            await asyncio.sleep(max(0, wait))
        else:
            try:
                await asyncio.wait_for(heard.wait(), wait)
            except asyncio.TimeoutError:
                pass
    return None


async def ask(sounds: list[bytes], rate: int, hand_over, client: Client, on_row) -> None:
    """One question after the other, each answered to its end, a second of silence behind it."""
    for sound in sounds:
        client.said.clear()
        client.over.clear()
        took = await say(sound, rate, hand_over, client.heard)
        if took is not None:
            await asyncio.wait_for(client.over.wait(), LATEST_S)
        on_row(took, "".join(client.said))
        for _ in range(50):
            await hand_over(b"\0" * (int(rate * STEP_S) * 2))
            await asyncio.sleep(STEP_S)


async def of_pipecat(sounds: list[bytes], weights: str, llm: str, on_row) -> None:
    from pipecat.audio.vad.silero import SileroVADAnalyzer
    from pipecat.frames.frames import EndFrame, InputAudioRawFrame, LLMFullResponseEndFrame, LLMTextFrame
    from pipecat.pipeline.pipeline import Pipeline
    from pipecat.pipeline.runner import PipelineRunner
    from pipecat.pipeline.task import PipelineParams, PipelineTask
    from pipecat.processors.aggregators.llm_context import LLMContext
    from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
    from pipecat.processors.frame_processor import FrameProcessor
    from pipecat.services.openai.llm import OpenAILLMService
    from pipecat.services.whisper.stt import WhisperSTTService

    client = Client()

    class Listener(FrameProcessor):
        async def process_frame(self, frame, direction):
            await super().process_frame(frame, direction)
            if isinstance(frame, LLMTextFrame):
                client.piece(frame.text)
            if isinstance(frame, LLMFullResponseEndFrame):
                client.over.set()
            await self.push_frame(frame, direction)

    stt = WhisperSTTService(device="cpu", compute_type="int8", settings=WhisperSTTService.Settings(model=weights))
    service = OpenAILLMService(
        api_key="none", base_url=llm, settings=OpenAILLMService.Settings(model="same", temperature=0.0, max_tokens=60, system_instruction=INSTRUCTIONS)
    )
    pair = LLMContextAggregatorPair(LLMContext(), user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer()))
    task = PipelineTask(Pipeline([stt, pair.user(), service, Listener(), pair.assistant()]), params=PipelineParams(audio_in_sample_rate=16_000), idle_timeout_secs=None)
    running = asyncio.create_task(PipelineRunner(handle_sigint=False).run(task))
    await asyncio.sleep(3)

    async def hand_over(piece: bytes) -> None:
        await task.queue_frame(InputAudioRawFrame(audio=piece, sample_rate=16_000, num_channels=1))

    await ask(sounds, 16_000, hand_over, client, on_row)
    await task.queue_frame(EndFrame())
    await running


async def of_sightline(sounds: list[bytes], server, on_row) -> None:
    import harness

    client = Client()
    async with harness.Talk.open(server) as talk:
        await talk.send(
            "session.update",
            session={"type": "realtime", "instructions": INSTRUCTIONS, "max_output_tokens": 60, "audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}},
        )
        await talk.until("session.updated")

        async def listen() -> None:
            async for raw in talk.socket:
                event = json.loads(raw)
                if event["type"] == "response.output_text.delta":
                    client.piece(event["delta"])
                elif event["type"] == "response.done":
                    client.over.set()

        async def hand_over(piece: bytes) -> None:
            await talk.send("input_audio_buffer.append", audio=base64.b64encode(piece).decode())

        listening = asyncio.create_task(listen())
        await ask(sounds, 24_000, hand_over, client, on_row)
        listening.cancel()


def main() -> int:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--rounds", type=int, default=3, help="each asks a third of the questions of one, then of the other")
    args.add_argument("--data", help="not used: the questions are synthesized")
    args.add_argument("--verbose", action="store_true")
    args = args.parse_args()
    import asr
    import harness
    import urllib.request
    from importlib.metadata import version

    if reason := harness.missing():
        print(f"dialogue: {reason}")
        return 2
    here = pathlib.Path(__file__).resolve().parent
    weights = str(asr.weights(here / ".venv" / "weights"))
    port = harness.free_port()
    llm = subprocess.Popen(
        [sys.executable, "-m", "llama_cpp.server", "--model", str(harness.LLM), "--port", str(port), "--n_ctx", "2048", "--n_threads", str(os.cpu_count()), "--verbose", "false"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    rows: dict[str, list[float | None]] = {}

    def row(name: str):
        def add(took: float | None, words: str) -> None:
            rows.setdefault(name, []).append(took)
            if args.verbose:
                print(f"  {name}: {took and round(took * 1e3)} ms: {words!r}", flush=True)
        return add

    try:
        url = f"http://127.0.0.1:{port}/v1"
        for _ in range(300):
            try:
                urllib.request.urlopen(url + "/models").read()
                break
            except OSError:
                time.sleep(0.2)
        with tempfile.TemporaryDirectory() as folder:
            at = {rate: [spoken(q, pathlib.Path(folder), rate) for q in QUESTIONS] for rate in (16_000, 24_000)}
        share = math.ceil(len(QUESTIONS) / args.rounds)
        for i in range(args.rounds):
            mine = slice(i * share, (i + 1) * share)
            asyncio.run(of_pipecat(at[16_000][mine], weights, url, row("pipecat")))
            for name, recogniser in (("sightline, the same models", "whisper-tiny.en"), ("sightline, as shipped", "moonshine-tiny")):
                server = harness.Server("peers-dialogue", f"models.asr={recogniser}")
                server.wait()
                asyncio.run(of_sightline(at[24_000][mine], server, row(name)))
                server.stop()
    finally:
        llm.kill()
    print(f"dialogue | pipecat {version('pipecat-ai')}, faster-whisper {version('faster-whisper')}, llama-cpp-python {version('llama-cpp-python')}")
    figures = {}
    for name, took in rows.items():
        got = sorted(1e3 * t for t in took if t is not None)
        figures[name] = (statistics.median(got), got[min(len(got) - 1, math.ceil(0.95 * len(got)) - 1)])
        p50, p95 = figures[name]
        of = figures["pipecat"]
        print(f"dialogue | {name} | p50 {p50:.0f} ms, p95 {p95:.0f} ms | {p50 / of[0]:.2f}, {p95 / of[1]:.2f} of pipecat's | {len(got)} of {len(took)} answered")
    return 0


if __name__ == "__main__":
    sys.exit(main())
