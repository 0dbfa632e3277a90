# SPDX-License-Identifier: MIT OR Apache-2.0
"""WHIP (RFC 9725): FFmpeg streams into a session, and the signalling by hand."""
from __future__ import annotations

import asyncio
import contextlib
import fractions
import json
import threading
import time

import pytest

av = pytest.importorskip("av", reason="PyAV is missing: pip install -r tests/python/requirements.txt")

from harness import PATIENCE_S, Talk, go, http  # noqa: E402
from test_bad_input import offer  # noqa: E402

SDP, FRAGMENT = "application/sdp", "application/trickle-ice-sdpfrag"
CANDIDATE = "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\n"


class Streamer:
    """FFmpeg's own WHIP client, in a thread: a red square on white as H.264 baseline, and silence as Opus."""

    def __init__(self, url: str) -> None:
        self.url, self.wrong, self.over = url, "", threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self) -> Streamer:
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.over.set()
        self.thread.join(PATIENCE_S)

    def run(self) -> None:
        try:
            self.stream()
        except Exception as why:  # noqa: BLE001 whatever it is, the test fails with it
            self.wrong = f"{type(why).__name__}: {why}"

    def stream(self) -> None:
        with av.open(self.url, "w", format="whip") as out:
            picture = out.add_stream("libx264", rate=15, options={"profile": "baseline", "preset": "ultrafast", "tune": "zerolatency", "bf": "0", "g": "15"})
            picture.width, picture.height, picture.pix_fmt = 320, 240, "yuv420p"
            sound = out.add_stream("libopus", rate=48_000, layout="stereo")
            frame = av.VideoFrame(320, 240, "rgb24")
            white, red = b"\xff\xff\xff", b"\xdc\x14\x14"
            row, crossed = white * 320, white * 80 + red * 160 + white * 80
            line = frame.planes[0].line_size
            frame.planes[0].update(b"".join(r.ljust(line, b"\0") for r in [row] * 40 + [crossed] * 160 + [row] * 40))
            began, shown, heard = time.monotonic(), 0, 0
            while not self.over.wait(0.01):
                passed = time.monotonic() - began
                if passed * 15 > shown:
                    frame.pts, frame.time_base = shown, fractions.Fraction(1, 15)
                    out.mux(picture.encode(frame))
                    shown += 1
                if passed * 50 > heard:
                    silence = av.AudioFrame(format="s16", layout="stereo", samples=960)
                    silence.planes[0].update(bytes(960 * 4))
                    silence.sample_rate, silence.pts, silence.time_base = 48_000, heard * 960, fractions.Fraction(1, 48_000)
                    out.mux(sound.encode(silence))
                    heard += 1


def can_stream() -> bool:
    return "whip" in av.formats_available and {"libx264", "libopus"} <= av.codecs_available


async def joined(server, name: str, streamer: Streamer):
    """Once the call is there."""
    deadline = time.monotonic() + PATIENCE_S
    while not streamer.wrong and time.monotonic() < deadline:
        with contextlib.suppress(Exception):
            return await Talk.open(server, f"call_id={name}&ext=scene,video").__aenter__()
        await asyncio.sleep(0.2)
    raise AssertionError(streamer.wrong or "the call did not appear")


@pytest.mark.skipif(not can_stream(), reason="this FFmpeg has no whip muxer, libx264 or libopus")
def test_ffmpeg_streams_pictures_that_are_seen_and_asked_about_beside_it(server):
    async def work():
        with Streamer(f"{server.url}/whip/studio") as streamer:
            talk = await joined(server, "studio", streamer)
            while True:
                scene = await talk.until("scene.facts")
                if any(c["colour"] == "red" for c in scene["colours"]) or any(o["colour"] == "red" for o in scene["objects"]):
                    break
            answer = await talk.ask("What colours do you see?")
            assert "red" in answer.lower(), answer
            assert not streamer.wrong, streamer.wrong
            status, _, body = await asyncio.to_thread(http, f"{server.url}/whip/studio", "POST", offer(), SDP)
            assert status == 409 and json.loads(body)["error"]["code"] == "call_name_taken"
        # FFmpeg ends its call with DELETE; whoever is beside it is told.
        await asyncio.wait_for(talk.socket.wait_closed(), PATIENCE_S)

    go(work())


# ── signalling ──


def place(server, path: str = "/whip", sdp: str | None = None, kind: str | None = SDP):
    return http(server.url + path, "POST", offer() if sdp is None else sdp, kind)


def patch(server, location: str, body: str, tag: str | None, kind: str = FRAGMENT):
    import urllib.error
    import urllib.request

    headers = {"Content-Type": kind, **({"If-Match": tag} if tag else {})}
    request = urllib.request.Request(server.url + location, method="PATCH", data=body.encode(), headers=headers)
    try:
        answer = urllib.request.urlopen(request, timeout=PATIENCE_S)
    except urllib.error.HTTPError as refusal:
        answer = refusal
    with answer:
        return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read().decode()


def code(answer) -> tuple[int, str]:
    return answer[0], json.loads(answer[2])["error"]["code"]


def test_an_offer_is_answered_changed_and_ended_as_the_rfc_says(server):
    status, headers, answer = place(server)
    assert status == 201 and headers["content-type"] == SDP and "m=video" in answer
    location, tag = headers["location"], headers["etag"]
    assert location.startswith("/whip/rtc_") and tag.startswith('"') and tag.strip('"') in answer

    assert patch(server, location, CANDIDATE, tag)[0] == 204
    assert patch(server, location, "a=end-of-candidates\r\n", "*")[0] == 204
    assert code(patch(server, location, CANDIDATE, None)) == (428, "precondition_required")
    assert code(patch(server, location, CANDIDATE, '"another"')) == (412, "ice_session_changed")
    assert code(patch(server, location, CANDIDATE, tag, SDP)) == (415, "unsupported_content_type")
    assert code(patch(server, location, "hello", tag)) == (400, "invalid_sdp")
    assert code(patch(server, location, CANDIDATE * 100, tag)) == (413, "sdp_too_large")
    assert code(patch(server, "/whip/rtc_nobody", CANDIDATE, tag)) == (404, "call_not_found")
    fresh = "a=ice-ufrag:newname\r\na=ice-pwd:abcdefghijklmnopqrstuvwxyz\r\n"
    assert code(patch(server, location, fresh, tag)) == (422, "ice_session_mismatch")

    assert http(server.url + location, "DELETE")[0] == 200
    assert http(server.url + location, "DELETE")[0] == 404
    assert code(patch(server, location, CANDIDATE, tag)) == (404, "call_not_found")


def test_an_ice_restart_gives_new_credentials_and_a_new_tag(server):
    _, headers, _ = place(server)
    location, tag = headers["location"], headers["etag"]
    try:
        fresh = "a=ice-ufrag:newname\r\na=ice-pwd:abcdefghijklmnopqrstuvwxyz\r\n"
        status, headers, fragment = patch(server, location, fresh, "*")
        assert status == 200 and headers["content-type"] == FRAGMENT, fragment
        assert headers["etag"] != tag and f"a=ice-ufrag:{headers['etag'].strip(chr(34))}\r\n" in fragment
        assert "a=ice-pwd:" in fragment and "a=candidate:" in fragment and "a=end-of-candidates" in fragment
        assert code(patch(server, location, CANDIDATE, tag)) == (412, "ice_session_changed")
        assert patch(server, location, fresh + CANDIDATE, headers["etag"])[0] == 204
    finally:
        http(server.url + location, "DELETE")


@pytest.mark.parametrize(
    ("sdp", "kind", "status"),
    [("hello", SDP, 400), (offer(video="H265/90000"), SDP, 422), ("v=0\r\n" + "a=x\r\n" * 3000, SDP, 413), (offer(), "text/plain", 415), (offer(), None, 415)],
)
def test_an_offer_that_cannot_be_taken_is_refused_by_its_kind(server, sdp, kind, status):
    assert place(server, sdp=sdp, kind=kind)[0] == status
    assert code(place(server, "/whip/rtc_mine")) == (400, "invalid_call_name")


def test_options_say_what_may_be_sent_and_pages_of_others_may_send_it(server):
    status, headers, _ = http(server.url + "/whip", "OPTIONS")
    assert status in (200, 204) and headers["accept-post"] == SDP
    assert headers["access-control-allow-origin"] == "*" and "PATCH" in headers["access-control-allow-methods"]
    assert http(server.url + "/whip/some", "OPTIONS")[1]["accept-patch"] == FRAGMENT
    assert http(server.url + "/whip")[0] == 405


def test_a_full_server_says_503_and_when_to_come_back(start_server):
    server = start_server("whip-full", "server.max_sessions=1")
    server.wait()
    _, headers, _ = place(server)
    status, refused, _ = place(server)
    assert status == 503 and int(refused["retry-after"]) > 0
    assert http(server.url + headers["location"], "DELETE")[0] == 200
    assert server.stop() == 0
