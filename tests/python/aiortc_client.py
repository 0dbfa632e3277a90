#!/usr/bin/env python3
"""An independent WebRTC client (aiortc) for Sightline: sends a picture or clip and a sound file, prints what comes back.

Posts an SDP offer to {url}/v1/realtime/calls, opens the `oai-events` data channel, and prints one JSON object a line:
{"t": seconds since start, "kind": "...", ...}. Kinds: answer, state, channel, event (a server event, in "event"), sent,
stats, error, end. Exit status: 0 when the connection came up, 1 when it did not, 2 for a refused offer or bad arguments.

    python tests/python/aiortc_client.py http://127.0.0.1:8080 --seconds 10 --video cat.jpg --ask "What is this?"
"""

import argparse
import asyncio
import fractions
import json
import sys
import time
import urllib.error
import urllib.request

import av
import numpy
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

STARTED = time.monotonic()
SIZE = (640, 480)
FPS = 15
PICTURE_TYPES = (".jpg", ".jpeg", ".png")


def show(kind, **fields):
    print(json.dumps({"t": round(time.monotonic() - STARTED, 3), "kind": kind, **fields}), flush=True)


class Pace:
    """Hands out the moments at which frames are due, from one start shared by all tracks."""

    def __init__(self):
        self.start = None

    async def until(self, seconds):
        if self.start is None:
            self.start = time.monotonic()
        delay = self.start + seconds - time.monotonic()
        if delay > 0:
            await asyncio.sleep(delay)


class Picture(MediaStreamTrack):
    """Frames of a clip in a loop, one still picture, or a test pattern that flashes white once a second."""

    kind = "video"

    def __init__(self, pace, path=None):
        super().__init__()
        self.pace = pace
        self.count = 0
        self.frames = list(read_frames(path)) if path else None
        self.still = bool(path) and path.lower().endswith(PICTURE_TYPES)

    async def recv(self):
        seconds = self.count / FPS
        await self.pace.until(seconds)
        if self.readyState != "live":
            raise MediaStreamError
        if self.frames:
            image = self.frames[0 if self.still else self.count % len(self.frames)]
        else:
            image = flash(self.count % FPS == 0, self.count)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts = int(seconds * 90000)
        frame.time_base = fractions.Fraction(1, 90000)
        self.count += 1
        return frame


def read_frames(path):
    """At most 300 frames, scaled to fit the camera's size."""
    with av.open(path) as clip:
        for index, frame in enumerate(clip.decode(video=0)):
            if index == 300:
                return
            scale = min(SIZE[0] / frame.width, SIZE[1] / frame.height)
            width, height = (max(2, int(n * scale) // 2 * 2) for n in (frame.width, frame.height))
            small = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
            full = numpy.zeros((SIZE[1], SIZE[0], 3), numpy.uint8)
            top, left = (SIZE[1] - height) // 2, (SIZE[0] - width) // 2
            full[top : top + height, left : left + width] = small
            yield full


def flash(on, count):
    image = numpy.full((SIZE[1], SIZE[0], 3), 235 if on else 40, numpy.uint8)
    x = count * 8 % SIZE[0]
    image[200:280, x : x + 40] = (200, 60, 20)
    return image


class Sound(MediaStreamTrack):
    """A sound file once and silence after it, or a click at the start of every second; 48 kHz mono, 20 ms a frame."""

    kind = "audio"
    RATE = 48000
    STEP = 960

    def __init__(self, pace, path=None, after=0.0):
        super().__init__()
        self.pace = pace
        self.count = 0
        self.samples = read_sound(path, self.RATE) if path else None
        self.after = int(after * self.RATE)

    async def recv(self):
        at = self.count * self.STEP
        await self.pace.until(at / self.RATE)
        if self.readyState != "live":
            raise MediaStreamError
        block = numpy.zeros(self.STEP, numpy.int16)
        if self.samples is not None:
            part = self.samples[max(0, at - self.after) : max(0, at - self.after + self.STEP)]
            block[: len(part)] = part
        elif at % self.RATE == 0:
            block[:] = (numpy.sin(numpy.arange(self.STEP) * 0.13) * 12000).astype(numpy.int16)
        frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = self.RATE
        frame.pts = at
        frame.time_base = fractions.Fraction(1, self.RATE)
        self.count += 1
        return frame


def read_sound(path, rate):
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    blocks = []
    with av.open(path) as clip:
        for frame in clip.decode(audio=0):
            blocks += [f.to_ndarray().reshape(-1) for f in resampler.resample(frame)]
        blocks += [f.to_ndarray().reshape(-1) for f in resampler.resample(None)]
    return numpy.concatenate(blocks)[: rate * 600]


def post(url, body, content_type, token):
    request = urllib.request.Request(url, body.encode(), {"Content-Type": content_type})
    if token:
        request.add_header("Authorization", "Bearer " + token)
    with urllib.request.urlopen(request, timeout=20) as response:
        return response.status, response.headers.get("Location"), response.read().decode()


def prefer(connection, wanted):
    """Offers only this video codec and its retransmissions."""
    mime = "video/" + wanted.upper()
    codecs = RTCRtpSender.getCapabilities("video").codecs
    chosen = [c for c in codecs if c.mimeType.lower() in (mime.lower(), "video/rtx")]
    if not any(c.mimeType.lower() == mime.lower() for c in chosen):
        sys.exit(f"aiortc has no {wanted}; it has " + ", ".join(sorted({c.mimeType for c in codecs})))
    for transceiver in connection.getTransceivers():
        if transceiver.kind == "video":
            transceiver.setCodecPreferences(chosen)


def question(text):
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    return [{"type": "conversation.item.create", "item": item}, {"type": "response.create"}]


async def wait_until_done(done, seconds):
    try:
        await asyncio.wait_for(done.wait(), seconds)
    except asyncio.TimeoutError:
        pass


async def show_stats(connection):
    for report in (await connection.getStats()).values():
        if report.type == "outbound-rtp":
            show("stats", media=report.kind, packets=report.packetsSent, bytes=report.bytesSent)
        elif report.type == "remote-inbound-rtp":
            show("stats", media=report.kind, lost=report.packetsLost, rtt=report.roundTripTime)


async def main(args):
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connected, done = asyncio.Event(), asyncio.Event()
    channel = connection.createDataChannel("oai-events")

    @connection.on("connectionstatechange")
    def on_state():
        show("state", state=connection.connectionState)
        if connection.connectionState == "connected":
            connected.set()
        elif connection.connectionState in ("failed", "closed"):
            done.set()

    @channel.on("open")
    def on_open():
        show("channel", state="open")
        for raw in args.send:
            channel.send(raw)
            show("sent", type=json.loads(raw).get("type"))
        if args.ask:
            asyncio.get_running_loop().call_later(args.ask_after, ask)

    def ask():
        for event in question(args.ask):
            channel.send(json.dumps(event))
            show("sent", type=event["type"])

    @channel.on("message")
    def on_message(message):
        try:
            event = json.loads(message)
        except ValueError:
            event = {"type": None, "text": str(message)}
        show("event", event=event)
        if args.until and event.get("type") == args.until:
            done.set()

    pace = Pace()
    if not args.no_video:
        connection.addTransceiver(Picture(pace, args.video), direction="sendonly")
    if not args.no_audio:
        connection.addTransceiver(Sound(pace, args.wav, args.wav_after), direction="sendonly")
    if args.codec and not args.no_video:
        prefer(connection, args.codec)
    await connection.setLocalDescription(await connection.createOffer())
    url = args.url.rstrip("/") + "/v1/realtime/calls"
    try:
        status, location, answer = await asyncio.to_thread(
            post, url, connection.localDescription.sdp, "application/sdp", args.token
        )
    except urllib.error.HTTPError as error:
        show("error", status=error.code, body=error.read().decode(errors="replace"))
        return 2
    except OSError as error:
        show("error", status=None, body=str(error))
        return 2
    codecs = [line.split(" ", 1)[1] for line in answer.splitlines() if line.startswith("a=rtpmap:")]
    show("answer", status=status, location=location, codecs=codecs)
    await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await wait_until_done(done, args.seconds)
    came_up = connected.is_set()
    await show_stats(connection)
    if args.vanish:
        show("end", connected=came_up)
        # No goodbye of any kind: the server must notice by itself.
        sys.stdout.flush()
        import os

        os._exit(0 if came_up else 1)
    await connection.close()
    show("end", connected=came_up)
    return 0 if came_up else 1


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="of the server, without /v1")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to stay (default 10)")
    parser.add_argument("--codec", choices=["vp8", "vp9", "h264", "av1"], help="offer only this video codec")
    parser.add_argument("--wav", help="sound file to speak once (default: a click every second)")
    parser.add_argument("--wav-after", type=float, default=0.0, help="seconds of silence before the sound file")
    parser.add_argument("--video", help="clip or picture to show (default: a pattern that flashes every second)")
    parser.add_argument("--no-video", action="store_true")
    parser.add_argument("--no-audio", action="store_true")
    parser.add_argument("--ask", help="type this question")
    parser.add_argument("--ask-after", type=float, default=1.0, help="seconds from channel open to the question")
    parser.add_argument("--send", action="append", default=[], help="raw event to send when the channel opens; repeatable")
    parser.add_argument("--until", help="leave when a server event of this type comes, e.g. response.done")
    parser.add_argument("--token", help="bearer token")
    parser.add_argument("--vanish", action="store_true", help="end without closing the connection")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(arguments())))
