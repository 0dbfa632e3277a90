# SPDX-License-Identifier: MIT OR Apache-2.0
"""What clients get wrong. Each mistake is named to the one who made it; his session goes on, and a neighbour notices nothing."""
from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import socket
import threading
import time

import pytest
import websockets

from harness import Refused, Talk, go, http, image, png_of_rows, square_png, text

SDP = "application/sdp"
MAX_MESSAGE = 16 * 1024 * 1024

HEAD = """v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE {mids}
a=msid-semantic: WMS
"""
TRANSPORT = """c=IN IP4 0.0.0.0
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuvwx
a=fingerprint:sha-256 {fingerprint}
a=setup:actpass
"""
AUDIO = """m=audio 9 UDP/TLS/RTP/SAVPF 111
{transport}a=mid:a
a=sendonly
a=rtcp-mux
a=rtpmap:111 {codec}
"""
VIDEO = """m=video 9 UDP/TLS/RTP/SAVPF 96
{transport}a=mid:v
a=sendonly
a=rtcp-mux
a=rtpmap:96 {codec}
"""
DATA = """m=application 9 UDP/DTLS/SCTP webrtc-datachannel
{transport}a=mid:d
a=sctp-port:5000
a=max-message-size:262144
"""


def offer(audio: str | None = "opus/48000/2", video: str | None = "VP8/90000", data: bool = True) -> str:
    """A browser's offer, with the sections that are wanted."""
    transport = TRANSPORT.format(fingerprint=":".join(["AB"] * 32))
    sections, mids = "", []
    for template, codec, mid in [(AUDIO, audio, "a"), (VIDEO, video, "v"), (DATA, data, "d")]:
        if codec:
            sections += template.format(transport=transport, codec=codec)
            mids.append(mid)
    return (HEAD.format(mids=" ".join(mids)) + sections).replace("\n", "\r\n")


class Neighbour:
    """A second session that keeps asking, on a thread of its own."""

    def __init__(self, server) -> None:
        self.answered, self.wrong = 0, ""
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(server,))
        self.thread.start()

    def run(self, server) -> None:
        try:
            asyncio.run(self.talk(server))
        except Exception as why:  # noqa: BLE001 whatever it is, the test that sees it fails with it
            self.wrong = f"{type(why).__name__}: {why}"

    async def talk(self, server) -> None:
        async with Talk.open(server) as talk:
            question = {"type": "message", "role": "user", "content": [text("Say yes.")]}
            while not self.over.is_set():
                response = await talk.answer(conversation="none", input=[question], max_output_tokens=2)
                assert response["status"] in ("completed", "incomplete") and response["text"], response
                self.answered += 1
                await asyncio.sleep(0.3)

    def check(self) -> None:
        assert not self.wrong and self.thread.is_alive(), f"the neighbour was disturbed: {self.wrong}"


@pytest.fixture(scope="module")
def neighbour(shared_server):
    beside = Neighbour(shared_server)
    deadline = time.monotonic() + 60
    while not beside.answered and not beside.wrong and time.monotonic() < deadline:
        time.sleep(0.1)
    yield beside
    before = beside.answered
    while beside.answered == before and not beside.wrong and time.monotonic() < deadline + 240:
        time.sleep(0.1)
    beside.check()
    beside.over.set()
    beside.thread.join(60)
    assert beside.answered > before > 0 and not beside.wrong, beside.wrong


@pytest.fixture
def place(neighbour, server):
    """The shared server, with a neighbour in it who must not notice."""
    yield server
    neighbour.check()


# ── offers ──


def refusal(answer: tuple[int, dict, str], status: int, code: str, *named: str) -> None:
    """OpenAI-style JSON with this status and code, and a message that names these."""
    assert answer[0] == status, answer
    assert answer[1]["content-type"] == "application/json"
    error = json.loads(answer[2])["error"]
    assert set(error) == {"message", "type", "code", "param"} and error["type"] == "invalid_request_error"
    assert error["code"] == code, error
    for word in named:
        assert word.lower() in error["message"].lower(), error


OFFERS = [
    ("", 400, "invalid_sdp", "offer"),
    ("hello", 400, "invalid_sdp", "line 1"),
    (b"\xff\xfe\x00", 400, "invalid_utf8", "UTF-8"),
    ("v=0\r\ns=-\r\nt=0 0\r\n", 400, "invalid_sdp", "nothing"),
    (offer().replace("a=fingerprint", "a=finger"), 400, "invalid_sdp", "fingerprint"),
    (offer().replace("m=audio 9", "m=audio nine"), 400, "invalid_sdp", "port"),
    (offer().replace("AB:AB", "XY:ZZ"), 400, "invalid_sdp", "fingerprint"),
    (offer() + "a=x\r\n" * 3000, 413, "sdp_too_large", "lines"),
    (offer() + f"a={'x' * 5000}\r\n", 413, "sdp_too_large", "one line"),
    (offer() + f"a={'x' * 3000}\r\n" * 25, 413, "sdp_too_large", "bytes"),
    ("v=0\r\n" + "x" * 300_000, 413, "request_too_large", "bytes"),
    (offer(audio="G729/8000", data=False), 422, "unsupported_media", "G729"),
    (offer(video="H265/90000"), 422, "unsupported_media", "H265"),
    (offer(video="theora/90000"), 422, "unsupported_media", "VP8"),
]


@pytest.mark.parametrize(("body", "status", "code", "named"), OFFERS, ids=[f"{o[2]}-{o[3]}" for o in OFFERS])
def test_an_offer_that_cannot_be_taken_is_refused_with_the_reason(place, body, status, code, named):
    answer = http(place.url + "/v1/realtime/calls", "POST", body, SDP)
    if answer[0] == 201:  # wrongly taken: the tests after this one need not suffer
        http(place.url + answer[1]["location"], "DELETE")
    refusal(answer, status, code, named)


def test_the_wrong_kind_of_request_is_told_what_is_right(place):
    calls = place.url + "/v1/realtime/calls"
    refusal(http(calls, "POST", "{}", "application/json"), 400, "unsupported_content_type", "application/sdp")
    part = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n--b--\r\n'
    kind = "multipart/form-data; boundary=b"
    refusal(http(calls, "POST", part.format("session", "{}"), kind), 400, "invalid_multipart", "sdp")
    refusal(http(calls, "POST", part.format("other", "x"), kind), 400, "invalid_multipart", "other")
    refusal(http(calls, "POST", part.format("sdp", offer()), "multipart/form-data"), 400, "invalid_multipart", "boundary")
    both = part.format("sdp", offer()).replace("--b--\r\n", part.format("session", '{"instructions": 5}'))
    refusal(http(calls, "POST", both, kind), 400, "invalid_session", "instructions")
    refusal(http(place.url + "/v1/realtime"), 400, "websocket_expected", "/v1/realtime/calls")
    refusal(http(place.url + "/v1/nothing/here"), 404, "not_found", "/v1/nothing/here")


@pytest.mark.parametrize("parts", [{"video": None}, {"audio": None}, {"audio": None, "video": None}, {"data": False}, {}], ids=["no-video", "no-audio", "data-only", "no-data", "all"])
def test_an_offer_with_fewer_parts_is_taken(place, parts):
    status, headers, answer = http(place.url + "/v1/realtime/calls", "POST", offer(**parts), SDP)
    assert status == 201, answer
    assert re.fullmatch(r"/v1/realtime/calls/rtc_\w+", headers["location"])
    assert answer.startswith("v=0") and answer.count("\nm=") == offer(**parts).count("\nm=")
    assert http(place.url + headers["location"] + "/hangup", "POST")[0] == 200
    refusal(http(place.url + headers["location"], "DELETE"), 404, "call_not_found", headers["location"].rsplit("/", 1)[-1])


def test_a_call_that_does_not_exist_cannot_be_joined_or_ended(place):
    refusal(http(place.url + "/v1/realtime/calls/rtc_nobody", "DELETE"), 404, "call_not_found", "rtc_nobody")
    refusal(http(place.url + "/v1/realtime/calls/rtc_nobody/hangup", "POST"), 404, "call_not_found", "rtc_nobody")

    async def join():
        with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
            async with websockets.connect(f"{place.ws}?call_id=rtc_nobody"):
                pass
        response = refused.value.response
        refusal((response.status_code, {k.lower(): v for k, v in response.headers.items()}, response.body.decode()), 404, "call_not_found", "rtc_nobody")

    go(join())


# ── events ──


async def check_goes_on(talk: Talk) -> None:
    """The session still takes and gives."""
    item = await talk.say("Are you there?")
    await talk.send("conversation.item.retrieve", item_id=item["id"])
    assert (await talk.until("conversation.item.retrieved"))["item"]["id"] == item["id"]


def item(*content: dict, **more) -> dict:
    return {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": list(content)}, **more}


def nested(levels: int) -> str:
    return '{"type":"session.update","session":{"tools":' + "[" * levels + "]" * levels + "}}"


EVENTS = [
    ("hello", "invalid_json", "JSON"),
    ('{"type": "session.update"', "invalid_json", "JSON"),
    ("[]", "invalid_json", "object"),
    ("null", "invalid_json", "object"),
    ('"text"', "invalid_json", "object"),
    ("{}", "missing_required_parameter", "type"),
    ({"type": 5}, "invalid_type", "type"),
    ({"type": "no.such.event"}, "unknown_event_type", "no.such.event"),
    ({"type": "session.update"}, "missing_required_parameter", "session"),
    ({"type": "session.update", "session": []}, "invalid_type", "session"),
    ({"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcm", "rate": 7}}}}}, "invalid_value", "rate"),
    ({"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 9}}}}}, "invalid_value", "threshold"),
    ({"type": "conversation.item.create", "item": "hi"}, "invalid_type", "item"),
    ({"type": "conversation.item.create", "item": {"type": "message", "role": "king", "content": []}}, "invalid_value", "role"),
    (item({"type": "input_text"}), "missing_required_parameter", "text"),
    (item(text("a" * 70_000)), "message_too_large", "text"),
    (item(*[text("a")] * 17), "message_too_large", "content"),
    ({"type": "conversation.item.retrieve", "item_id": 7}, "invalid_type", "item_id"),
    ({"type": "conversation.item.retrieve", "item_id": "x" * 600}, "message_too_large", "item_id"),
    ({"type": "response.create", "response": {"max_output_tokens": -1}}, "invalid_value", "max_output_tokens"),
    ({"type": "response.create", "response": {"conversation": "none", "input": [{"type": "item_reference", "id": "gone"}]}}, "item_reference_invalid_item_id", "gone"),
    ({"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio"),
    ({"type": "input_audio_buffer.append", "audio": "not base64!"}, "invalid_base64", "base64"),
    ({"type": "input_audio_buffer.append", "audio": 5}, "invalid_type", "audio"),
    (item({"type": "input_image", "image_url": "http://example.com/cat.png"}), "image_url_not_supported", "data"),
    (item({"type": "input_image", "image_url": "file:///etc/passwd"}), "image_url_not_supported", "data"),
    (item({"type": "input_image", "image_url": "data:image/png;base64,????"}), "invalid_base64", "base64"),
    (item(image(b"GIF89a" + bytes(100), "gif")), "invalid_image_format", "PNG"),
    (item(image(os.urandom(100))), "invalid_image_format", "PNG"),
    (item(image(square_png() + bytes(5 * 1024 * 1024))), "image_too_large", "4194304"),
    (item(*[image(square_png())] * 5), "message_too_large", "picture"),
    (nested(100), "invalid_json_depth", "64"),
    (nested(200_000), "invalid_json_depth", "64"),
]


@pytest.mark.parametrize(("message", "code", "named"), EVENTS, ids=[f"{e[1]}-{e[2]}" for e in EVENTS])
def test_a_wrong_event_is_refused_by_name_and_the_session_goes_on(place, message, code, named):
    async def work():
        async with Talk.open(place) as talk:
            if isinstance(message, dict):
                await talk.send(event_id="mine", kind=message["type"], **{k: v for k, v in message.items() if k != "type"})
            else:
                await talk.socket.send(message)
            error = await talk.error()
            assert error["code"] == code, error
            assert named.lower() in (error["message"] + str(error["param"])).lower(), error
            assert len(error["message"]) < 500, "a message of ours does not repeat theirs"
            if isinstance(message, dict):
                assert error["event_id"] == "mine", error
            await check_goes_on(talk)

    go(work())


@pytest.mark.parametrize(
    "picture",
    [square_png()[:300], square_png()[:40], png_of_rows(30_000, 30_000, bytes(100), (30_000, 30_000)), png_of_rows(8, 8, b"", (0, 0)), b"\xff\xd8\xff\xe0" + bytes(64)],
    ids=["truncated", "header-only", "bomb", "no-size", "broken-jpeg"],
)
def test_a_picture_that_turns_out_to_be_broken_is_complained_of_and_the_question_is_answered(place, picture):
    async def work():
        async with Talk.open(place) as talk:
            await talk.say(image(picture), "What is this?")
            error = await talk.error()
            assert error["code"] == "invalid_image_format" and "picture" in error["message"], error
            assert (await talk.answer())["status"] == "completed"

    go(work())


def test_a_binary_frame_is_refused_by_name(place):
    async def work():
        async with Talk.open(place) as talk:
            await talk.socket.send(b"\0\1\2")
            error = await talk.error()
            assert error["code"] == "binary_message" and "base64" in error["message"]
            await check_goes_on(talk)

    go(work())


def test_a_message_beyond_every_limit_closes_with_1009(place):
    async def work():
        async with Talk.open(place) as talk:
            huge = json.dumps({"type": "input_audio_buffer.append", "audio": "A" * (MAX_MESSAGE + 1024)})
            with pytest.raises(websockets.exceptions.ConnectionClosed):
                await talk.socket.send(huge)
                await talk.next()
            assert talk.socket.close_code == 1009, talk.socket.close_reason
            assert str(MAX_MESSAGE) in talk.socket.close_reason

    go(work())


def test_sound_beyond_its_limit_is_refused_and_the_session_goes_on(place):
    async def work():
        async with Talk.open(place) as talk:
            await talk.send("input_audio_buffer.append", audio=base64.b64encode(bytes(9 * 1024 * 1024)).decode())
            error = await talk.error()
            assert error["code"] == "message_too_large" and error["param"] == "audio", error
            await check_goes_on(talk)

    go(work())


def test_a_flood_of_events_neither_ends_nor_confuses_the_session(place):
    """Faster than the session takes them: each is refused by name, or as too many at once, or counted; none ends it."""

    async def work():
        async with Talk.open(place) as talk:
            flood = [talk.socket.send(json.dumps({"type": "no.such.event", "event_id": f"e{i}"})) for i in range(300)]
            lost = place.metric("sightline_events_lost_total")
            await asyncio.gather(*flood)
            codes = []
            while True:
                await talk.send("session.update", session={"type": "realtime", "instructions": "Be brief."}, event_id="last")
                try:
                    while (await talk.until("session.updated"))["session"]["instructions"] != "Be brief.":
                        pass
                    break
                except Refused:
                    codes.append(talk.seen[-1]["error"]["code"])
            assert set(codes) <= {"unknown_event_type", "session_busy"}, set(codes)
            unknown = [e["error"]["event_id"] for e in talk.seen if e["type"] == "error" and e["error"]["code"] == "unknown_event_type"]
            assert unknown == sorted(unknown, key=lambda e: int(e[1:])), "in the order in which they were sent"
            assert len(codes) + place.metric("sightline_events_lost_total") - lost >= 300
            await check_goes_on(talk)

    go(work())


def test_many_pictures_at_once_are_refused_as_too_many(place):
    async def work():
        async with Talk.open(place) as talk:
            for _ in range(12):
                await talk.socket.send(json.dumps(item(image(square_png()))))
            error = await talk.error()
            assert error["code"] == "rate_limit_exceeded" and error["type"] == "rate_limit_error", error

    go(work())


def test_a_client_that_never_reads_is_closed(place):
    """It asks for the same long item again and again, and lets the answers pile up."""
    def closed() -> float:
        return place.metric("sightline_slow_readers_total") + place.metric("sightline_events_lost_total", 'reason="slow_reader"')

    before = closed()
    sessions = place.sessions()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", place.port))
        client.sendall(
            f"GET /v1/realtime?model=x HTTP/1.1\r\nHost: 127.0.0.1:{place.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        assert client.recv(12) == b"HTTP/1.1 101"
        client.sendall(frame(json.dumps({**item(text("long " * 12_000)), "item": {**item(text("long " * 12_000))["item"], "id": "long"}})))
        # On a slow machine the server may have closed the line before the last of these is sent: that is what is wanted.
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                client.sendall(frame('{"type": "conversation.item.retrieve", "item_id": "long"}'))
        place.wait_for_sessions(sessions, seconds=20)
        assert closed() > before
        # What the system still held for it comes first, then the reason: 1013, try again later. Or the line is simply cut.
        last = read_all(client)[-200:]
        assert not last or b"\x03\xf5" in last, last


def read_all(client: socket.socket) -> bytes:
    """All that comes until the server closes; nothing when it cuts the line."""
    client.settimeout(10)
    read = b""
    try:
        while piece := client.recv(1 << 16):
            read = (read + piece)[-1000:]
    except ConnectionError:
        return b""
    return read


def frame(message: str) -> bytes:
    """A text frame of a client, masked with zeros (RFC 6455 §5.2)."""
    data = message.encode()
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big") if len(data) < 65_536 else b"\xff" + len(data).to_bytes(8, "big")
    return b"\x81" + size + bytes(4) + data
