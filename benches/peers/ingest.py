# SPDX-License-Identifier: MIT OR Apache-2.0
"""Processor time of one call with a camera of 640×480 at 30 frames a second: Sightline beside aiortc and Pipecat's small WebRTC transport, alternating, in one run.

All take the same stream (VP8 and Opus), sent by aiortc from a process of its own, or by Chromium as the page does: in three temporal layers, of which Sightline decodes as
many as it compares pictures. The others decode every frame, and Sightline does of aiortc's. All decode all sound that they are sent: of silence a browser sends Sightline, which asks for that (`usedtx`), some five
packets a second and the others fifty; a second server asks for all of it (`ingest.dtx=false`). Sightline runs as shipped but with perception off (no experts, a look in ten seconds), so
that what is counted is what aiortc does too: ICE, DTLS, SRTP, jitter buffer, decoding. aiortc hands its frames to nobody and does not convert them;
Pipecat gives its pipeline sound at 16 kHz and ten pictures a second in RGB, as many as Sightline compares, and the pipeline ends there. Counted is the
processor time of the receiving process, threads included (/proc), over the seconds after the first ones.
"""
from __future__ import annotations

import argparse
import asyncio
import contextlib
import fractions
import itertools
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "python"))

SETTLE_S = 5
WHOLE = "sightline, all sound asked for"
TICKS = os.sysconf("SC_CLK_TCK")


def used_s(pid: int) -> float:
    """Processor seconds that a process has used, user and system."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def used_by_models_s(pid: int) -> float:
    """The same of the threads that Sightline's models compute on."""
    total = 0.0
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if (thread / "comm").read_text().startswith(("engine", "kernels")):
                total += int((thread / "schedstat").read_text().split()[0]) / 1e9
    return total


def share(pid: int, seconds: float) -> float:
    """Of one core, over so many seconds."""
    before, began = used_s(pid), time.monotonic()
    time.sleep(seconds)
    return (used_s(pid) - before) / (time.monotonic() - began)


# What runs in processes of their own.


async def receive() -> None:
    """aiortc takes the offer on its standard input, answers, and decodes until it is killed."""
    from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    frames = {"video": 0, "audio": 0}

    async def drain(track) -> None:
        while True:
            await track.recv()
            frames[track.kind] += 1

    tasks = []
    peer.on("track", lambda track: tasks.append(asyncio.ensure_future(drain(track))))
    await peer.setRemoteDescription(RTCSessionDescription(json.loads(sys.stdin.readline()), "offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    print(json.dumps(peer.localDescription.sdp), flush=True)
    while True:
        await asyncio.sleep(1)
        print(json.dumps(frames), flush=True)


async def receive_by_pipecat() -> None:
    """The same by a pipeline of Pipecat's that ends behind its transport."""
    from loguru import logger
    from pipecat.frames.frames import InputAudioRawFrame, UserImageRawFrame
    from pipecat.pipeline.pipeline import Pipeline
    from pipecat.pipeline.runner import PipelineRunner
    from pipecat.pipeline.task import PipelineParams, PipelineTask
    from pipecat.processors.frame_processor import FrameProcessor
    from pipecat.transports.base_transport import TransportParams
    from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection
    from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport

    logger.remove()
    frames = {"video": 0, "audio": 0}

    class Sink(FrameProcessor):
        async def process_frame(self, frame, direction) -> None:
            await super().process_frame(frame, direction)
            frames["video"] += isinstance(frame, UserImageRawFrame)
            frames["audio"] += isinstance(frame, InputAudioRawFrame)
            if not isinstance(frame, (UserImageRawFrame, InputAudioRawFrame)):
                await self.push_frame(frame, direction)

    connection = SmallWebRTCConnection()
    await connection.initialize(json.loads(sys.stdin.readline()), "offer")
    transport = SmallWebRTCTransport(connection, TransportParams(audio_in_enabled=True, video_in_enabled=True))

    @transport.event_handler("on_client_connected")
    async def connected(transport, _) -> None:
        await transport.capture_participant_video("peer", framerate=10)

    task = PipelineTask(Pipeline([transport.input(), Sink()]), params=PipelineParams(audio_in_sample_rate=16_000), idle_timeout_secs=None)
    running = asyncio.create_task(PipelineRunner(handle_sigint=False).run(task))
    print(json.dumps(connection.get_answer()["sdp"]), flush=True)
    while not running.done():
        await asyncio.sleep(1)
        print(json.dumps(frames), flush=True)


def film(clip: str | None, file: pathlib.Path) -> None:
    """Ten seconds of 640×480 at 30 frames a second as a file of JPEGs, for a browser's camera; a pattern that moves where there is no clip."""
    import av
    import numpy

    def pictures():
        while clip:
            with av.open(clip) as frames:
                yield from frames.decode(video=0)
        noise = numpy.random.default_rng(1).integers(0, 255, (12, 16, 3), numpy.uint8).repeat(40, 0).repeat(40, 1)
        for i in itertools.count():
            yield av.VideoFrame.from_ndarray(numpy.roll(noise, 4 * i, 1), format="rgb24")

    codec = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = 640, 480, "yuvj420p", fractions.Fraction(1, 30)
    with open(file, "wb") as out:
        for i, frame in enumerate(itertools.islice(pictures(), 300)):
            small = frame.reformat(width=640, height=480, format="yuvj420p")
            small.pts, small.time_base = i, codec.time_base
            out.writelines(bytes(packet) for packet in codec.encode(small))
        out.writelines(bytes(packet) for packet in codec.encode(None))


async def send(video: str | None) -> None:
    """aiortc sends; its offer goes to the standard output, the answer comes from the standard input."""
    import aiortc_client as client
    from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

    client.FPS = 30
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.createDataChannel("oai-events")
    pace = client.Pace()
    peer.addTrack(client.Sound(pace))
    peer.addTrack(client.Picture(pace, video))
    client.prefer(peer, "vp8")
    await peer.setLocalDescription(await peer.createOffer())
    print(json.dumps(peer.localDescription.sdp), flush=True)
    answer = json.loads(await asyncio.to_thread(sys.stdin.readline))
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await asyncio.sleep(3600)


# The measurement.


def part(*args: str, **pipes) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-W", "ignore", __file__, *args], text=True, stderr=subprocess.DEVNULL, **pipes)


BOTH = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}


def by_aiortc(video: list[str]) -> subprocess.Popen:
    return part("--part", "send", *video, **BOTH)


def by_chromium(clip: pathlib.Path) -> subprocess.Popen:
    return subprocess.Popen(["node", str(ROOT / "tests" / "browser" / "sender.mjs"), str(clip)], text=True, stderr=subprocess.DEVNULL, **BOTH)


def of_peer(receive: str, seconds: float, send: Callable[[], subprocess.Popen]) -> tuple[float, float]:
    """Share of a core, and frames a second that came out."""
    sender, receiver = send(), part("--part", receive, **BOTH)
    try:
        receiver.stdin.write(sender.stdout.readline())
        receiver.stdin.flush()
        sender.stdin.write(receiver.stdout.readline())
        sender.stdin.flush()
        time.sleep(SETTLE_S)
        used = share(receiver.pid, seconds)
    finally:
        end(sender)
        receiver.kill()
    counts = [json.loads(line) for line in receiver.stdout.read().splitlines()]
    return used, counts[-1]["video"] / len(counts)


def end(sender: subprocess.Popen) -> None:
    """A browser closes when nothing more is to come."""
    sender.stdin.close()
    try:
        sender.wait(3)
    except subprocess.TimeoutExpired:
        sender.kill()


def of_sightline(seconds: float, send: Callable[[], subprocess.Popen], server, ahead: list[float]) -> tuple[float, float]:
    """The same; `ahead` is told what of it the language model took, which takes in the changed scene ahead of a question."""
    import aiortc_client as client

    before = server.metric("sightline_decode_out_total", "vp8")
    began = time.monotonic()
    sender = send()
    try:
        answer = client.post(server.url + "/v1/realtime/calls", json.loads(sender.stdout.readline()), "application/sdp", None)[2]
        sender.stdin.write(json.dumps(answer) + "\n")
        sender.stdin.flush()
        time.sleep(SETTLE_S)
        models, started = used_by_models_s(server.process.pid), time.monotonic()
        used = share(server.process.pid, seconds)
        ahead.append((used_by_models_s(server.process.pid) - models) / (time.monotonic() - started))
        frames = server.metric("sightline_decode_out_total", "vp8") - before
        return used, frames / (time.monotonic() - began)
    finally:
        end(sender)
        server.wait_for_sessions(0, 60)


def main() -> int:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--rounds", type=int, default=3)
    args.add_argument("--seconds", type=float, default=15)
    args.add_argument("--data", type=pathlib.Path, default=ROOT.parent / "shared" / "data", help="where clips lie; without any, a pattern that moves is sent")
    args.add_argument("--senders", nargs="*", choices=["aiortc", "chromium"], help="who sends; both where there is a browser")
    args.add_argument("--part", choices=["send", "receive", "receive_by_pipecat"], help=argparse.SUPPRESS)
    args.add_argument("--video", help=argparse.SUPPRESS)
    args = args.parse_args()
    if args.part:
        parts = {"send": lambda: send(args.video), "receive": receive, "receive_by_pipecat": receive_by_pipecat}
        asyncio.run(parts[args.part]())
        return 0
    import harness

    if reason := harness.missing():
        print(f"ingest: {reason}")
        return 2
    clips = sorted((args.data / "video").glob("*.mp4"))
    video = ["--video", str(clips[-1])] if clips else []
    print(f"ingest | 640x480, 30 frames a second, VP8 and Opus, {clips[-1].name if clips else 'a pattern that moves'}", flush=True)
    settings = ("watch.experts=", "watch.max_fps=0.1", "memory.enabled=false", "ingest.disconnected_ms=1000", "ingest.failed_ms=2000")
    servers = {"sightline": harness.Server("peers-ingest", *settings), WHOLE: harness.Server("peers-ingest-whole", *settings, "ingest.dtx=false")}
    for server in servers.values():
        server.wait()
    with tempfile.TemporaryDirectory() as folder:
        senders = {"aiortc": lambda: by_aiortc(video)}
        if shutil.which("node") and (ROOT / "tests" / "browser" / "node_modules").exists():
            clip = pathlib.Path(folder) / "clip.mjpeg"
            film(str(clips[-1]) if clips else None, clip)
            senders["chromium"] = lambda: by_chromium(clip)
        elif not args.senders:
            print("ingest | nothing is sent from Chromium: that needs Node and tests/browser/node_modules, which `make bench-peers` installs", flush=True)
        for name in args.senders or senders:
            measure(name, senders[name], args, servers)
    for server in servers.values():
        server.stop()
    return 0


def measure(sender: str, send: Callable[[], subprocess.Popen], args: argparse.Namespace, servers: dict) -> None:
    """All that take what one sender sends, in turn."""
    from importlib.metadata import version

    if sender == "aiortc":
        # It sends all sound, whatever it is asked for.
        servers = {"sightline": servers["sightline"]}
    rows: dict[str, list[tuple[float, float]]] = {"aiortc": [], "pipecat": [], **{name: [] for name in servers}}
    ahead: dict[str, list[float]] = {name: [] for name in servers}
    for i in range(args.rounds):
        rows["aiortc"].append(of_peer("receive", args.seconds, send))
        rows["pipecat"].append(of_peer("receive_by_pipecat", args.seconds, send))
        for name, server in servers.items():
            rows[name].append(of_sightline(args.seconds, send, server, ahead[name]))
        print(f"from {sender}, round {i + 1}: " + ", ".join(f"{k} {100 * v[-1][0]:.1f} % of a core at {v[-1][1]:.0f} fps" for k, v in rows.items()), flush=True)
    medians = {k: statistics.median(used for used, _ in v) for k, v in rows.items()}
    labels = {"aiortc": f"aiortc {version('aiortc')}", "pipecat": f"pipecat {version('pipecat-ai')}, small WebRTC"}
    for name, row in rows.items():
        low, high = min(u for u, _ in row), max(u for u, _ in row)
        beside = ", ".join(f"{medians[name] / medians[peer]:.2f} of {peer}" for peer in ("aiortc", "pipecat"))
        print(f"ingest | from {sender} | {labels.get(name, name)} | {100 * medians[name]:.1f} % of a core ({100 * low:.1f} to {100 * high:.1f}) | {beside}")
    rest = statistics.median(used - models for (used, _), models in zip(rows["sightline"], ahead["sightline"]))
    print(f"ingest | from {sender} | sightline without its language model, which takes in the changed scene | {100 * rest:.1f} % of a core | {rest / medians['aiortc']:.2f} of aiortc, {rest / medians['pipecat']:.2f} of pipecat")


if __name__ == "__main__":
    sys.exit(main())
