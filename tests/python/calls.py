# SPDX-License-Identifier: MIT OR Apache-2.0
"""A WebRTC call made by aiortc, for the tests: a drawn camera, a spoken microphone, the event channel."""
from __future__ import annotations

import asyncio
import contextlib
import fractions
import json

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc_talk import RedSquare
from av import AudioFrame, Packet

from harness import PATIENCE_S, Refused, Server, http, text

RATE, STEP = 48_000, 960


class Voice(MediaStreamTrack):
    """Silence, and what is to be said when its time has come; 20 ms a frame."""

    kind = "audio"

    def __init__(self, samples: bytes = b"") -> None:
        super().__init__()
        self.samples, self.count, self.began = samples, 0, 0.0
        self.speaks = asyncio.Event()

    async def recv(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        self.began = self.began or loop.time()
        await asyncio.sleep(max(0.0, self.began + self.count * STEP / RATE - loop.time()))
        piece = b""
        if self.speaks.is_set():
            piece, self.samples = self.samples[: STEP * 2], self.samples[STEP * 2 :]
        frame = AudioFrame(format="s16", layout="mono", samples=STEP)
        frame.planes[0].update(piece.ljust(STEP * 2, b"\0"))
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.count * STEP, fractions.Fraction(1, RATE)
        self.count += 1
        return frame


class Coded(MediaStreamTrack):
    """A camera that sends access units as they are, one after the other, over and over."""

    kind = "video"

    def __init__(self, units: list[bytes], fps: int) -> None:
        super().__init__()
        self.units, self.fps, self.count, self.began = units, fps, 0, 0.0

    async def recv(self) -> Packet:
        loop = asyncio.get_running_loop()
        self.began = self.began or loop.time()
        await asyncio.sleep(max(0.0, self.began + self.count / self.fps - loop.time()))
        packet = Packet(self.units[self.count % len(self.units)])
        packet.pts = packet.dts = self.count
        packet.time_base = fractions.Fraction(1, self.fps)
        self.count += 1
        return packet


class Call:
    """A call that was answered. Events of the data channel are in `events`, and all that came in `seen`."""

    def __init__(self, server: Server, peer: RTCPeerConnection) -> None:
        self.server, self.peer = server, peer
        self.channel = peer.createDataChannel("oai-events")
        self.events: asyncio.Queue = asyncio.Queue()
        self.seen: list[dict] = []
        self.open, self.closed = asyncio.Event(), asyncio.Event()
        self.location, self.answer = "", ""
        # The server's voice.
        self.track: MediaStreamTrack | None = None
        peer.on("track", lambda track: setattr(self, "track", track))
        self.channel.on("open", self.open.set)
        self.channel.on("close", self.closed.set)
        self.channel.on("message", self.on_message)

    def on_message(self, message: str) -> None:
        event = json.loads(message)
        self.seen.append(event)
        self.events.put_nowait(event)

    @classmethod
    @contextlib.asynccontextmanager
    async def place(cls, server: Server, *tracks: MediaStreamTrack, codec: str | None = None, query: str = "", configuration: RTCConfiguration | None = None, hears: bool = False, headers: dict | None = None):
        peer = RTCPeerConnection(configuration or RTCConfiguration(iceServers=[]))
        call = cls(server, peer)
        for track in tracks:
            peer.addTransceiver(track, direction="sendrecv" if hears and track.kind == "audio" else "sendonly")
        if codec:
            chosen = [c for c in RTCRtpSender.getCapabilities("video").codecs if c.name.upper() == codec]
            next(t for t in peer.getTransceivers() if t.kind == "video").setCodecPreferences(chosen)
        try:
            await peer.setLocalDescription(await peer.createOffer())
            url = f"{server.url}/v1/realtime/calls?{query}"
            status, headers, call.answer = await asyncio.to_thread(http, url, "POST", peer.localDescription.sdp, "application/sdp", more=headers)
            assert status == 201, call.answer
            assert headers["content-type"] == "application/sdp"
            call.location = headers["location"]
            await peer.setRemoteDescription(RTCSessionDescription(call.answer, "answer"))
            await asyncio.wait_for(call.open.wait(), PATIENCE_S)
            yield call
        finally:
            await peer.close()
            if call.location:
                await call.hang_up()

    async def hang_up(self) -> int:
        return (await asyncio.to_thread(http, self.server.url + self.location, "DELETE"))[0]

    def send(self, kind: str, **fields) -> None:
        self.channel.send(json.dumps({"type": kind, **fields}))

    async def until(self, kind: str, fits=lambda event: True, seconds: float = PATIENCE_S) -> dict:
        """The next event of this kind that fits; an `error` before it is a failure."""

        async def search() -> dict:
            while True:
                event = await self.events.get()
                if event["type"] == kind and fits(event):
                    return event
                if event["type"] == "error":
                    raise Refused(f"error instead of {kind}: {event['error']}")

        return await asyncio.wait_for(search(), seconds)

    async def ask(self, question: str) -> str:
        self.send("conversation.item.create", item={"type": "message", "role": "user", "content": [text(question)]})
        self.send("response.create")
        return await self.answered()

    async def answered(self) -> str:
        response = (await self.until("response.done"))["response"]
        assert response["status"] == "completed", response
        return "".join(p["text"] for item in response["output"] for p in item["content"])


def camera() -> MediaStreamTrack:
    """A red square on white."""
    return RedSquare()


def is_red(scene: dict) -> bool:
    """Perception has seen the square: in its colours, or as an object that is red."""
    return any(c["colour"] == "red" for c in scene["colours"]) or any(o["colour"] == "red" for o in scene["objects"])
