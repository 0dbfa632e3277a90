# SPDX-License-Identifier: MIT OR Apache-2.0
"""`make bench-scaling`: how many sessions this machine carries: 1, 2, 4, 8 calls at a time, each with a camera and a microphone, all in one run.

Each call is WebRTC (aiortc): VP8 640×480 at ten frames a second, encoded once and sent as it is, and Opus; it asks a question aloud about every nine seconds, offset from
the others. Told for each step: end of the last word → first word of the answer as the client has it, each stage by `response.latency`, processor time and main memory of the
server, whom admission refused, what the ladder gave up, and the processor time of the client, which shares the machine. The knee is the last step whose p50 is within
one and a half times that of one call. Run with `server.admission=fixed` (all are let in) and `measured` (as shipped).
"""
from __future__ import annotations

import asyncio
import fractions
import pathlib
import re
import sys
import tempfile
import time

import common
from common import QUESTIONS, Server, at, spoken, stages, used_s

FPS, RATE = 10, 48_000
GAP_S = 9.0
STEPS = (1, 2, 4, 8)
COUNTERS = ("sightline_degraded_total", "sightline_deadline_miss_total", "sightline_work_deferred_total", "sightline_frames_lost_total", "sightline_admission_rejected_total")


def clip(data: pathlib.Path) -> list[bytes]:
    """Twenty seconds of VP8, a keyframe every second: a recorded clip where there is one, else a pattern that moves."""
    import aiortc_client
    import av

    files = sorted((data / "video").glob("*.mp4"))
    frames = list(aiortc_client.read_frames(str(files[-1])))[:: 3] if files else [aiortc_client.flash(False, i) for i in range(200)]
    codec = av.CodecContext.create("libvpx", "w")
    codec.width, codec.height, codec.pix_fmt = 640, 480, "yuv420p"
    codec.bit_rate, codec.time_base, codec.gop_size = 500_000, fractions.Fraction(1, FPS), FPS
    codec.options = {"deadline": "realtime", "cpu-used": "4", "lag-in-frames": "0"}
    packets = []
    for i, image in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
        frame.pts = i
        packets += [bytes(p) for p in codec.encode(frame)]
    return packets


def microphone():
    """It says what it is given."""
    from calls import Voice

    class Microphone(Voice):
        def __init__(self) -> None:
            super().__init__()
            self.ended = asyncio.Event()
            self.speaks.set()

        async def recv(self):
            spoke = bool(self.samples)
            frame = await super().recv()
            if spoke and not self.samples:
                self.ended.set()
            return frame

    return Microphone()


async def converse(server, packets: list[bytes], sounds: list[bytes], number: int, of: int, questions: int, out: dict) -> None:
    from calls import Call, Coded

    voice = microphone()
    try:
        async with Call.place(server, voice, Coded(packets, FPS), codec="VP8", query="ext=latency") as call:
            session = {"type": "realtime", "instructions": "Answer in one short sentence.", "max_output_tokens": 24, "audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}
            call.send("session.update", session=session)
            await call.until("session.updated")
            await asyncio.sleep(3 + GAP_S * number / of)
            for i in range(questions):
                began = time.monotonic()
                voice.ended.clear()
                voice.samples = sounds[(number + i) % len(sounds)]
                await voice.ended.wait()
                ended = time.monotonic()
                try:
                    await call.until("response.output_text.delta", seconds=20)
                    out["took"].append(time.monotonic() - ended)
                    await call.until("response.done", seconds=20)
                except asyncio.TimeoutError:
                    out["took"].append(20.0)
                await asyncio.sleep(max(0.0, began + GAP_S - time.monotonic()))
            out["latency"] += [e for e in call.seen if e["type"] == "response.latency"]
    except AssertionError as refused:
        if "session_capacity" not in str(refused):
            raise
        out["refused"] += 1


def counted(server) -> dict[str, float]:
    """The counters of what was given up, by their labels."""
    found = {}
    for name, labels, value in re.findall(r"^(\w+?)(?:\{(.*)\})? (\S+)$", common.http(server.url + "/metrics")[2], re.MULTILINE):
        if name in COUNTERS:
            short = name.removeprefix("sightline_").removesuffix("_total")
            label = ",".join(re.findall(r'"([^"]*)"', labels))
            found[f"{short} {label}"] = float(value)
    return found


async def step(server, packets: list[bytes], sounds: list[bytes], calls: int, questions: int) -> dict:
    out = {"calls": calls, "took": [], "latency": [], "refused": 0}
    before, began, used, mine = counted(server), time.monotonic(), used_s(server.process.pid), time.process_time()
    talking = [asyncio.create_task(converse(server, packets, sounds, i, calls, questions, out)) for i in range(calls)]
    rss = 0.0
    while not all(t.done() for t in talking):
        await asyncio.wait(talking, timeout=1)
        rss = max(rss, server.rss_mib())
    for task in talking:
        task.result()
    took = time.monotonic() - began
    after = await asyncio.to_thread(counted, server)
    out |= {"server": (used_s(server.process.pid) - used) / took, "client": (time.process_time() - mine) / took, "rss": rss}
    out["given_up"] = {k: v - before.get(k, 0) for k, v in after.items() if v > before.get(k, 0)}
    return out


def tell(admission: str, steps: list[dict], bare: float) -> None:
    alone = at(steps[0]["took"], 0.5)
    within = [s["calls"] for s in steps if not s["refused"] and at(s["took"], 0.5) <= 1.5 * alone]
    for s in steps:
        let_in = s["calls"] - s["refused"]
        p50, p95 = at(s["took"], 0.5), at(s["took"], 0.95)
        label = f"scaling | {admission} | {s['calls']} calls"
        print(
            f"{label} | {s['refused']} refused | last word to first word p50 {1e3 * p50:.0f} ms, p95 {1e3 * p95:.0f} ms of {len(s['took'])} "
            f"| server {100 * s['server']:.0f} % of one core, {100 * s['server'] / max(1, let_in):.0f} % a call "
            f"| {s['rss']:.0f} MiB, {(s['rss'] - bare) / max(1, let_in):.0f} MiB a call more than without any | client {100 * s['client']:.0f} %"
        )
        print(f"{label} | p50/p95 ms: " + ", ".join(f"{n[:-3]} {at(v, 0.5):.0f}/{at(v, 0.95):.0f}" for n, v in stages(s["latency"]).items()))
        print(f"{label} | given up: " + (", ".join(f"{k} {v:.0f}" for k, v in sorted(s["given_up"].items())) or "nothing"))
    print(f"scaling | {admission} | knee: {max(within, default=0)} calls", flush=True)


def main() -> int:
    args = common.arguments(__doc__, quick="one call, one question", data="where clips lie")
    args.add_argument("--admission", nargs="*", default=["fixed", "measured"])
    args.add_argument("--steps", nargs="*", type=int, default=STEPS)
    args.add_argument("--questions", type=int, default=4, help="of each call")
    args = args.parse_args()
    common.need("scaling")
    if args.quick:
        args.admission, args.steps, args.questions = ["fixed"], [1], 1
    packets = clip(args.data)
    with tempfile.TemporaryDirectory() as folder:
        sounds = [spoken(q, pathlib.Path(folder), RATE) for q in QUESTIONS]
    for admission in args.admission:
        server = Server(f"bench-scaling-{admission}", "server.max_sessions=8", f"server.admission={admission}")
        try:
            server.wait()
            bare, told = server.rss_mib(), []
            for calls in args.steps:
                told.append(asyncio.run(step(server, packets, sounds, calls, args.questions)))
                server.wait_for_sessions(0, 60)
            tell(admission, told, bare)
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
