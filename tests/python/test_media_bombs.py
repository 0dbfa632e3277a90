# SPDX-License-Identifier: MIT OR Apache-2.0
"""T24 on the media path: pictures that announce more than anybody can hold, sizes that flip with every frame, and packets that are not pictures."""
from __future__ import annotations

import asyncio
import fractions
import random
import time

import pytest

pytest.importorskip("aiortc", reason="aiortc is missing: pip install -r tests/python/requirements.txt")

import av  # noqa: E402
from calls import Call, Coded, Voice, camera, is_red  # noqa: E402
from harness import go  # noqa: E402
from test_limits import settled  # noqa: E402

FPS = 30


class Bits:
    """A bit string of H.264."""

    def __init__(self) -> None:
        self.text = ""

    def u(self, value: int, bits: int) -> Bits:
        self.text += format(value, f"0{bits}b")
        return self

    def ue(self, value: int) -> Bits:
        code = format(value + 1, "b")
        self.text += "0" * (len(code) - 1) + code
        return self

    def nal(self, head: int) -> bytes:
        text = self.text + "1"
        text += "0" * (-len(text) % 8)
        body = bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))
        out, zeros = bytearray(), 0
        for byte in body:
            if zeros >= 2 and byte <= 3:
                out.append(3)
                zeros = 0
            out.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        return b"\0\0\0\1" + bytes([head]) + bytes(out)


def h264_of(width: int, height: int) -> bytes:
    """A keyframe that announces this size, and no picture behind it."""
    sps = Bits().u(66, 8).u(0xC0, 8).u(62, 8).ue(0).ue(0).ue(2).ue(1).u(0, 1)
    sps.ue(width // 16 - 1).ue(height // 16 - 1).u(1, 1).u(1, 1).u(0, 1).u(0, 1)
    pps = Bits().ue(0).ue(0).u(0, 1).u(0, 1).ue(0).ue(0).ue(0).u(0, 1).u(0, 2).ue(0).ue(0).ue(0).u(0, 1).u(0, 1).u(0, 1)
    slice_ = Bits().ue(0).ue(7).ue(0).u(0, 4).ue(0).u(0, 1).u(0, 1).ue(0)
    for n in range(64):
        slice_.u(n * 37 % 256, 8)
    return sps.nal(0x67) + pps.nal(0x68) + slice_.nal(0x65)


def vp8_of(width: int, height: int) -> bytes:
    """The same in VP8 (RFC 6386 §9.1)."""
    size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    return b"\x10\x02\x00\x9d\x01\x2a" + size + bytes(n * 53 % 256 for n in range(400))


def keyframes(sizes: list[tuple[int, int]]) -> list[bytes]:
    """Real VP8 keyframes, each of another size."""
    out = []
    for n, (width, height) in enumerate(sizes):
        codec = av.CodecContext.create("libvpx", "w")
        codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
        codec.time_base = fractions.Fraction(1, FPS)
        codec.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
        frame = av.VideoFrame(width, height, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([60 + 20 * n]) * plane.buffer_size)
        frame.pts = 0
        packets = codec.encode(frame) + codec.encode(None)
        out.append(bytes(packets[0]))
    return out


def noise(count: int) -> list[bytes]:
    dice = random.Random(24)
    return [dice.randbytes(dice.randrange(1, 1_100)) for _ in range(count)]


FLIPS = [(64, 48), (1280, 720), (16, 16), (720, 1280), (1920, 1080), (2, 2), (640, 480)]


def lost(server, codec: str) -> float:
    """Units of this codec that were refused, by the reasons for that."""
    reasons = [f'codec="{codec.lower()}",reason="{why}"' for why in ("corrupt", "no_keyframe")]
    return sum(server.metric(f"sightline_{stage}_lost_total", reason) for stage in ("ingest", "decode") for reason in reasons)


@pytest.mark.parametrize(
    ("codec", "units", "growth_mib"),
    [
        ("H264", [h264_of(16_384, 16_384)], 32),
        ("H264", [h264_of(16, 16_384)], 32),
        ("VP8", [vp8_of(16_383, 16_383)], 32),
        ("VP8", noise(60), 64),
        ("H264", [b"\0\0\0\1" + n for n in noise(60)], 64),
        # Pictures within the limits are decoded, and cost what pictures of these sizes cost, but not more with every flip.
        ("VP8", keyframes(FLIPS), 160),
    ],
    ids=["h264-16384", "h264-narrow", "vp8-16383", "vp8-noise", "h264-noise", "vp8-flips"],
)
def test_a_media_bomb_costs_neither_memory_nor_anybody_else(server, codec, units, growth_mib):
    async def work():
        async with Call.place(server, camera(), Voice(), codec="VP8", query="ext=scene") as calm:
            await calm.until("scene.facts", is_red)
            before, most, refused = await settled(server), 0.0, lost(server, codec)
            async with Call.place(server, Coded(units, FPS), Voice(), codec=codec) as bomb:
                until = time.monotonic() + 6
                while time.monotonic() < until:
                    most = max(most, server.rss_mib())
                    await asyncio.sleep(0.1)
                assert most - before <= growth_mib, (before, most)
                # Every unit of it was refused, and counted; or, where the pictures are real, none.
                assert (lost(server, codec) - refused > 4 * FPS) == (len(units) != len(FLIPS)), lost(server, codec)
                # It can still be talked to, and so can the other, who still sees.
                assert await bomb.ask("Hello.")
            answer = await calm.ask("What colours do you see?")
            assert "red" in answer.lower(), answer
        assert server.alive()

    go(work())


def test_sizes_that_flip_do_not_grow_memory_for_as_long_as_they_do(server):
    async def work():
        async with Call.place(server, Coded(keyframes(FLIPS), FPS), Voice(), codec="VP8"):
            await asyncio.sleep(6)
            early = server.rss_mib()
            await asyncio.sleep(8)
            assert server.rss_mib() - early < 24, (early, server.rss_mib())

    go(work())
