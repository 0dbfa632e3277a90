#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""An independent WebRTC client (aiortc) against a running server: shows a red square, asks for the colours.

    python3 aiortc_talk.py --url http://127.0.0.1:8080 [--no-video | --no-audio] [--codec VP8|H264]

Prints one JSON object. Exit code 0: all as it should be; 1: not; 2: cannot be tried.
"""
from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
import urllib.error
import urllib.request

try:
    from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription, VideoStreamTrack
    from aiortc.mediastreams import AudioStreamTrack
    from av import VideoFrame
except ImportError:
    sys.exit("aiortc is missing: pip install -r tests/python/requirements.txt")

TIMEOUT_S = 120
WIDTH, HEIGHT = 640, 480


class Wrong(Exception):
    """Something the server did that it must not do."""


class RedSquare(VideoStreamTrack):
    """A red square on white that moves by a few pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    async def recv(self) -> VideoFrame:
        pts, time_base = await self.next_timestamp()
        shift = (self.count // 5) % 16
        self.count += 1
        white, red = bytes((255, 255, 255)), bytes((220, 20, 20))
        plain = white * WIDTH
        crossed = white * (160 + shift) + red * 320 + white * (160 - shift)
        frame = VideoFrame(WIDTH, HEIGHT, "rgb24")
        frame.planes[0].update(plain * 80 + crossed * 320 + plain * 80)
        frame = frame.reformat(format="yuv420p")
        frame.pts, frame.time_base = pts, time_base
        return frame


def request(url: str, method: str, body: str | None = None) -> tuple[int, str | None, str]:
    headers = {"Content-Type": "application/sdp"} if body is not None else {}
    call = urllib.request.Request(url, method=method, data=None if body is None else body.encode(), headers=headers)
    with urllib.request.urlopen(call, timeout=15) as answer:
        return answer.status, answer.headers.get("Location"), answer.read().decode()


def add_tracks(pc: RTCPeerConnection, args: argparse.Namespace) -> None:
    if not args.no_audio:
        pc.addTrack(AudioStreamTrack())
    if args.no_video:
        return
    pc.addTrack(RedSquare())
    if args.codec:
        codecs = RTCRtpSender.getCapabilities("video").codecs
        wanted = [c for c in codecs if c.name.upper() == args.codec]
        pc.getTransceivers()[-1].setCodecPreferences(wanted)


async def answer_to(channel, events: asyncio.Queue, question: str) -> dict:
    content = [{"type": "input_text", "text": question}]
    channel.send(json.dumps({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}}))
    channel.send(json.dumps({"type": "response.create"}))
    began, first_ms, text = time.monotonic(), None, ""
    while True:
        event = await asyncio.wait_for(events.get(), TIMEOUT_S)
        if event["type"] == "error":
            raise Wrong(event["error"]["message"])
        if event["type"] == "response.output_text.delta":
            first_ms = first_ms or round((time.monotonic() - began) * 1000)
            text += event["delta"]
        if event["type"] == "response.done":
            return {"status": event["response"]["status"], "text": text, "first_token_ms": first_ms}


async def main(args: argparse.Namespace) -> dict:
    base = args.url.rstrip("/")
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    channel = pc.createDataChannel("oai-events")
    events: asyncio.Queue = asyncio.Queue()
    opened = asyncio.Event()
    seen: list[str] = []
    scene = asyncio.Event()

    @channel.on("open")
    def on_open() -> None:
        opened.set()

    @channel.on("message")
    def on_message(message: str) -> None:
        event = json.loads(message)
        seen.append(event["type"])
        if event["type"] == "scene.facts" and (event["objects"] or event["labels"] or event.get("colours")):
            scene.set()
        events.put_nowait(event)

    add_tracks(pc, args)
    await pc.setLocalDescription(await pc.createOffer())
    status, location, answer = await asyncio.to_thread(request, f"{base}/v1/realtime/calls?ext=scene", "POST", pc.localDescription.sdp)
    if status != 201 or not location:
        raise Wrong(f"the offer got status {status}, location {location}")
    try:
        await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await asyncio.wait_for(opened.wait(), 20)
        if not args.no_video:
            await asyncio.wait_for(scene.wait(), TIMEOUT_S)
        result = await answer_to(channel, events, args.question)
    finally:
        status, _, _ = await asyncio.to_thread(request, f"{base}{location}", "DELETE")
        await pc.close()
    if not seen or seen[0] != "session.created":
        raise Wrong(f"the first event is {seen[:1]}")
    if status != 200:
        raise Wrong(f"hanging up got status {status}")
    if result["status"] != "completed":
        raise Wrong(f"the answer is {result['status']}")
    if not args.no_video and args.expect.lower() not in result["text"].lower():
        raise Wrong(f"the answer does not say {args.expect!r}: {result['text']!r}")
    return {**result, "location": location, "codec": [line for line in answer.splitlines() if line.startswith("a=rtpmap")]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--question", default="What colours do you see?")
    parser.add_argument("--expect", default="red", help="a word the answer must hold")
    parser.add_argument("--codec", choices=["VP8", "H264"])
    parser.add_argument("--no-video", action="store_true")
    parser.add_argument("--no-audio", action="store_true")
    try:
        print(json.dumps(asyncio.run(main(parser.parse_args())), indent=2))
    except (Wrong, asyncio.TimeoutError) as wrong:
        sys.exit(f"wrong: {wrong or 'nothing came in time'}")
    except urllib.error.HTTPError as error:
        sys.exit(f"wrong: HTTP status {error.code}: {error.read().decode()[:500]}")
    except OSError as error:
        print(f"cannot reach the server: {error}", file=sys.stderr)
        sys.exit(2)
