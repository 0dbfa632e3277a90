# SPDX-License-Identifier: MIT OR Apache-2.0
"""`make bench-neighbours`: what others cost somebody who asks calmly: alone, beside one that misbehaves, beside newcomers; in turn, in one run.

One session with a microphone that is always on asks questions aloud, typed as on the page (which tells of the typing; a second of it) and in writing out of the
blue, one after the other, and waits for each answer. Told is the time from the end of the question to the first word. Beside it is, for a while each: nobody; one that floods the server with pictures and asks for long answers about four of them at a
time; one that commits half a minute of chatter or noise again and again, cancels, and reconnects; a new session every two seconds, each with a camera and a question.
Every session is let in (`server.admission=fixed`): what is measured is the scheduler, not the door. The others run at the lowest priority, since they stand for
other machines; their processor time is told.
"""
from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import pathlib
import random
import sys
import tempfile
import time

import websockets

import common
from common import LONG, QUESTIONS, Asker, Server, Talk, append, at, in_steps, pictures, spoken, text, used_s

RATE = common.RATE
KINDS = ("aloud", "typed", "in writing")
# What came later counts as this, and a round beside somebody who keeps the server from answering ends after a while.
LATEST_S, MOST_S = 15.0, 60.0
CHATTER = "So I said to him that the train was late again, and he told me about the garden, the two dogs, and the cake that his sister made. "


# What the others do.


def come(server, number: int = 0):
    """A session from an address of its own, as that of another machine: who comes back from there is known to have been there before."""
    return Talk.open(server, **({"local_addr": (f"127.0.0.{2 + number % 250}", 0)} if sys.platform == "linux" else {}))


async def drain(talk: Talk, done: asyncio.Event) -> None:
    async for raw in talk.socket:
        if json.loads(raw)["type"] in ("response.done", "error"):
            done.set()


async def flood(server, data: pathlib.Path) -> None:
    """Pictures of two a frame, thirty frames a second, each unlike the one before; long answers about four pictures at a time."""
    seen = pictures(data, 8)
    frames = [append(None, seen[i], seen[(i + 3) % 8]) for i in range(8)]
    images = [{"type": "input_image", "image_url": "data:image/jpeg;base64," + base64.b64encode(p).decode()} for p in seen[:4]]
    item = json.dumps({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [*images, text("What is this? " + LONG)]}})
    async with come(server) as talk:
        done = asyncio.Event()
        listening = asyncio.create_task(drain(talk, done))

        async def show() -> None:
            for i in range(1_000_000):
                await talk.socket.send(frames[i % 8])
                await asyncio.sleep(1 / 30)

        showing = asyncio.create_task(show())
        while not showing.done() and not listening.done():
            done.clear()
            await talk.socket.send(item)
            await talk.send("response.create")
            await done.wait()


async def junk(server, chatter: pathlib.Path) -> None:
    """Half a minute of talk or noise at once, committed, answered, cancelled; every fourth time from the beginning."""
    size = RATE * 28 * 2
    talk_, noise = chatter.read_bytes()[:size], random.Random(1).randbytes(size)
    sounds = [append(s) for s in (talk_, noise)]

    async def once() -> None:
        async with come(server) as talk:
            await talk.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
            listening = asyncio.create_task(drain(talk, asyncio.Event()))
            for i in range(4):
                await talk.socket.send(sounds[i % 2])
                await talk.send("input_audio_buffer.commit")
                await talk.send("response.create")
                await asyncio.sleep(0.4)
                await talk.send("response.cancel")
            listening.cancel()

    while True:
        try:
            await once()
        except websockets.InvalidStatus:
            # Refused: it does not wait as long as it is told to.
            await asyncio.sleep(0.2)


async def newcomers(server, data: pathlib.Path) -> None:
    """Each shows a camera of ten frames a second for two seconds and asks what it shows."""
    seen = [append(None, p) for p in pictures(data, 20, seed=2)]

    async def one(first: int) -> None:
        # Whoever is refused does not come.
        with contextlib.suppress(websockets.InvalidStatus):
            await show(first)

    async def show(first: int) -> None:
        async with come(server, first) as talk:
            done = asyncio.Event()
            listening = asyncio.create_task(drain(talk, done))
            for i in range(20):
                await talk.socket.send(seen[(first + i // 5) % 20])
                if i == 10:
                    await talk.send("conversation.item.create", item={"type": "message", "role": "user", "content": [text("What do you see?")]})
                    await talk.send("response.create")
                await asyncio.sleep(0.1)
            await asyncio.wait_for(done.wait(), 30)
            listening.cancel()

    tasks = set()
    for i in range(1_000_000):
        task = asyncio.create_task(one(i))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await asyncio.sleep(2)


class Far:
    """A server of another process, as far as `Talk` needs it."""

    def __init__(self, ws: str) -> None:
        self.ws = ws


# The measurement.


async def calm(server, sounds: list[list[str]], rows: dict[str, list[float]], latencies: list[dict]) -> None:
    began = time.monotonic()
    async with Asker.open(server) as asker:
        with contextlib.suppress(asyncio.TimeoutError):
            await asker.ask_in_writing("What is the capital of Norway?", LATEST_S)
        asks = [ask for sound, words in zip(sounds, QUESTIONS) for ask in (("aloud", asker.ask_aloud, sound), ("typed", asker.ask_typed, words), ("in writing", asker.ask_in_writing, words))]
        for kind, ask, what in asks:
            await asyncio.sleep(0.4)
            try:
                rows.setdefault(kind, []).append(await ask(what, LATEST_S))
            except asyncio.TimeoutError:
                rows.setdefault(kind, []).append(LATEST_S)
            if time.monotonic() - began > MOST_S:
                break
        latencies += asker.latencies


def main() -> int:
    args = common.arguments(__doc__, quick="one round of one question", data="where photographs lie; without any, blocks of colour are shown")
    args.add_argument("--rounds", type=int, default=8, help="of six questions of each kind beside each of the others")
    args.add_argument("--only", nargs="*", default=[], help="which others")
    args.add_argument("--samples", type=pathlib.Path, help="a file that keeps what was measured: a later run adds to it")
    args.add_argument("--set", nargs="*", default=[], help="further settings of the server")
    args.add_argument("--part", help=argparse.SUPPRESS)
    args.add_argument("--ws", help=argparse.SUPPRESS)
    args.add_argument("--file", type=pathlib.Path, help=argparse.SUPPRESS)
    args = args.parse_args()
    if args.part:
        work = {"flood": flood, "junk": junk, "newcomers": newcomers}[args.part]
        asyncio.run(work(Far(args.ws), args.file))
        return 0
    common.need("neighbours")
    kept = json.loads(args.samples.read_text()) if args.samples and args.samples.exists() else {}
    rounds, questions = (1, 1) if args.quick else (args.rounds, len(QUESTIONS))
    server = Server("bench-neighbours", "server.max_sessions=8", *args.set)
    others = ["nobody", *(args.only or ["flood", "junk", "newcomers"])]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        sounds = [in_steps(spoken(q, folder)) for q in QUESTIONS[:questions]]
        chatter = folder / "chatter.pcm"
        chatter.write_bytes(spoken(CHATTER * 5, folder))
        try:
            server.wait()
            for number in range(rounds):
                for who in others[number % len(others) :] + others[: number % len(others)]:
                    beside = kept.setdefault(who, {kind: [] for kind in (*KINDS, "latency", "other")})
                    other = None if who == "nobody" else common.part(__file__, "--part", who, "--ws", server.ws, "--file", str(chatter if who == "junk" else args.data))
                    try:
                        if other:
                            time.sleep(1.5)
                        began, used = time.monotonic(), used_s(server.process.pid)
                        before = used_s(other.pid) if other else 0
                        asyncio.run(calm(server, sounds, beside, beside["latency"]))
                        took = time.monotonic() - began
                        if other:
                            assert other.poll() is None, f"{who} ended by itself"
                        theirs = (used_s(other.pid) - before) / took if other else 0
                        beside["other"].append([theirs, (used_s(server.process.pid) - used) / took])
                    finally:
                        if other:
                            other.kill()
                            other.wait()
                        server.wait_for_sessions(0, 60)
                    if args.samples:
                        args.samples.write_text(json.dumps(kept))
        finally:
            server.stop()
    tell(kept)
    return 0


def tell(kept: dict) -> None:
    ms = lambda values, share: 1e3 * at(values, share)  # noqa: E731
    for who, beside in kept.items():
        for kind in KINDS:
            values, alone = beside[kind], kept["nobody"][kind]
            ratios = [at(values, share) / at(alone, share) for share in (0.5, 0.95)]
            print(f"neighbours | {who} | {kind} | p50 {ms(values, 0.5):.0f} ms, p95 {ms(values, 0.95):.0f} ms of {len(values)} | beside nobody {ratios[0]:.2f}, {ratios[1]:.2f}")
        theirs, ours = (sum(x[i] for x in beside["other"]) / len(beside["other"]) for i in (0, 1))
        print(f"neighbours | {who} | processor: server {100 * ours:.0f} %, the other's client {100 * theirs:.0f} % of one core")
        stages = common.stages(beside["latency"])
        print("neighbours | " + who + " | " + ", ".join(f"{n[:-3]} {at(v, 0.5):.0f}/{at(v, 0.95):.0f}" for n, v in stages.items()))


if __name__ == "__main__":
    sys.exit(main())
