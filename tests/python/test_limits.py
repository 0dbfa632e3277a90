# SPDX-License-Identifier: MIT OR Apache-2.0
"""What bounds are for: storms of clients, clients that dawdle, bombs, a restart under way, and what logs must not tell."""
from __future__ import annotations

import asyncio
import base64
import json
import signal
import socket
import struct
import time
import zlib

import pytest
import websockets

from harness import PATIENCE_S, Talk, go, http, image, square_png

KEY = "a-key-of-at-least-sixteen-letters"
UPGRADE = (
    "GET /v1/realtime?model=x{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{more}\r\n"
)


async def settled(server) -> float:
    """The same, once what sessions begin with is done."""
    rss = [server.rss_mib()]
    while len(rss) < 4 or max(rss[-4:]) - min(rss[-4:]) > 1:
        await asyncio.sleep(1)
        rss.append(server.rss_mib())
    return rss[-1]


async def knock(port: int, request: str) -> tuple[int, dict, bytes, asyncio.StreamWriter]:
    """Sends a request; status, headers and the beginning of the body, and the open line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(first.split()[1]), headers, body, writer


async def storm(server, count: int) -> list[tuple[int, dict, bytes, asyncio.StreamWriter]]:
    request = UPGRADE.format(query="", more="")
    return await asyncio.gather(*(knock(server.port, request) for _ in range(count)))


def test_a_storm_of_upgrades_admits_as_many_as_there_are_places(start_server):
    server = start_server("storm", "server.max_sessions=8")
    server.wait()

    async def work():
        first = await storm(server, 200)
        admitted = [a for a in first if a[0] == 101]
        assert len(admitted) == 8, [a[0] for a in first]
        before = await settled(server)
        second = await storm(server, 300)
        for status, headers, body, writer in [a for a in first if a[0] != 101] + second:
            assert status == 429 and int(headers["retry-after"]) > 0, (status, headers)
            error = json.loads(body)["error"]
            assert error["code"] == "session_capacity" and error["type"] == "rate_limit_error", error
            writer.close()
        assert server.rss_mib() - before < 20, (before, server.rss_mib())
        assert server.sessions() == 8 and server.metric("sightline_admission_rejected_total") == 492
        # Those that were let in notice nothing.
        assert (await asyncio.to_thread(http, server.url + "/healthz"))[0] == 200
        for _, _, _, writer in admitted:
            writer.close()
        await asyncio.to_thread(server.wait_for_sessions, 0, 20)
        async with Talk.open(server) as talk:
            assert (await talk.answer(conversation="none", input=[{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Say yes."}]}]))["status"]

    go(work(), 3 * PATIENCE_S)
    assert server.stop() == 0


SLOW = [
    ("nothing", ""),
    ("half-a-head", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: "),
    ("half-a-body", "POST /v1/realtime/calls HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\nContent-Length: 5000\r\n\r\nv=0"),
]


@pytest.mark.parametrize(("name", "begin"), SLOW, ids=[s[0] for s in SLOW])
def test_a_client_that_dawdles_is_closed_and_nobody_else_waits(server, name, begin):
    """A byte a second, as slow as can be; forty of them at once."""
    async def dawdle() -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(begin.encode())
        began = time.monotonic()
        read = asyncio.ensure_future(reader.read(1 << 16))
        try:
            while not read.done() and time.monotonic() - began < 40:
                if begin:
                    writer.write(b"a")
                await asyncio.wait({read}, timeout=1)
            answer = await read if read.done() else b"still open"
            assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer
        except ConnectionError:
            pass
        finally:
            read.cancel()
            writer.close()
        return time.monotonic() - began

    async def work():
        slow = [asyncio.ensure_future(dawdle()) for _ in range(40)]
        took = []
        for _ in range(20):
            began = time.monotonic()
            assert (await asyncio.to_thread(http, server.url + "/healthz"))[0] == 200
            took.append(time.monotonic() - began)
        async with Talk.open(server):
            pass
        closed = await asyncio.gather(*slow)
        assert max(closed) < 30, max(closed)  # 10 s, on a machine that is not this busy
        assert sorted(took)[10] < 1, took

    go(work(), 3 * PATIENCE_S)


def test_idle_connections_keep_nobody_out(server):
    lines = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(400)]
    try:
        assert http(server.url + "/healthz")[0] == 200

        async def work():
            async with Talk.open(server):
                pass

        go(work())
    finally:
        for line in lines:
            line.close()


HOSTILE = [
    ("a-long-head", "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + "a" * 200_000 + "\r\n\r\n", (431, 400)),
    ("many-headers", "GET / HTTP/1.1\r\nHost: localhost\r\n" + "".join(f"X-{i}: a\r\n" for i in range(500)) + "\r\n", (431, 400)),
    ("no-http", "\x16\x03\x01 hello\r\n\r\n", (400,)),
    ("a-long-path", "GET /" + "a" * 100_000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n", (414, 431, 400)),
    ("two-lengths", "POST /v1/realtime/calls HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", (400,)),
    ("bad-chunk", "POST /v1/realtime/calls HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", (400,)),
    ("a-huge-length", "POST /v1/realtime/calls HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\nContent-Length: 99999999999\r\n\r\n", (413,)),
    ("up-the-tree", "GET /../../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", (400, 404)),
    ("up-the-tree-escaped", "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", (400, 404)),
    ("odd-version", UPGRADE.format(query="", more="").replace("Version: 13", "Version: 7"), (400, 426)),
    ("odd-numbers", UPGRADE.format(query="&last_seq=-1&resume=x", more=""), (400,)),
    ("odd-numbers-too", UPGRADE.format(query="&utc_offset=abc", more=""), (400,)),
]


@pytest.mark.parametrize(("name", "request_text", "statuses"), HOSTILE, ids=[h[0] for h in HOSTILE])
def test_a_hostile_request_is_refused_and_the_server_goes_on(server, name, request_text, statuses):
    async def work():
        try:
            status = (await knock(server.port, request_text))[0]
            assert status in statuses, status
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the line was cut: as good an answer
        assert (await asyncio.to_thread(http, server.url + "/healthz"))[0] == 200

    go(work())


def test_compression_is_not_spoken_so_nothing_can_swell(server):
    """A small frame that unpacks to gigabytes needs an extension that is not granted."""
    async def work():
        offered = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
        status, headers, _, writer = await knock(server.port, UPGRADE.format(query="", more=offered))
        assert status == 101 and "sec-websocket-extensions" not in headers, headers
        writer.close()

    go(work())


FRAMES = [
    ("not-utf-8", b"\x81\x82\0\0\0\0\xff\xfe", {1007, 1002, 1006}),
    ("unmasked", b"\x81\x02{}", {1002, 1006}),
    ("reserved-bits", b"\xf1\x82\0\0\0\0{}", {1002, 1006}),
    ("a-long-ping", b"\x89\xfe\x00\x80\0\0\0\0" + bytes(128), {1002, 1006}),
    ("a-ping-in-pieces", b"\x09\x82\0\0\0\0{}", {1002, 1006}),
    ("an-unknown-kind", b"\x83\x82\0\0\0\0{}", {1002, 1006}),
    ("a-frame-of-2^63", b"\x81\xff" + b"\x7f" + b"\xff" * 7 + bytes(4), {1009, 1002, 1006}),
    ("a-frame-of-17-MiB", b"\x81\xff" + (17 << 20).to_bytes(8, "big") + bytes(4), {1009, 1006}),
]


@pytest.mark.parametrize(("name", "frame", "codes"), FRAMES, ids=[f[0] for f in FRAMES])
def test_a_hostile_frame_closes_its_own_line_before_anything_is_allocated(server, name, frame, codes):
    async def work():
        before = server.rss_mib()
        status, _, _, writer = await knock(server.port, UPGRADE.format(query="", more=""))
        assert status == 101
        reader = writer.transport.get_protocol()._stream_reader  # noqa: SLF001 the reader that belongs to the line
        writer.write(frame)
        read = b""
        try:
            while piece := await asyncio.wait_for(reader.read(1 << 16), PATIENCE_S):
                read += piece
        except ConnectionError:
            pass
        code = int.from_bytes(read[-1000:].partition(b"\x88")[2][1:3], "big") if b"\x88" in read[-200:] else 1006
        assert any(struct.pack(">H", c) in read[-200:] for c in codes) or 1006 in codes, code
        assert server.rss_mib() - before < 32
        writer.close()

    go(work())


def lying_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b"")


def lying_jpeg(width: int, height: int, scans: int = 1) -> bytes:
    """A progressive JPEG of that size by its header, with so many empty scans."""
    frame = b"\xff\xc2\x00\x11\x08" + struct.pack(">HH", height, width) + b"\x03\x01\x22\x00\x02\x11\x00\x03\x11\x00"
    scan = b"\xff\xda\x00\x0c\x03\x01\x00\x02\x00\x03\x00\x00\x3f\x00\x00"
    return b"\xff\xd8" + frame + scan * scans + b"\xff\xd9"


PICTURES = [
    ("png-65535", lying_png(65_535, 65_535)),
    ("png-2^31", lying_png(2**31 - 1, 2**31 - 1)),
    ("png-tall", lying_png(1, 60_000)),
    ("jpeg-65535", lying_jpeg(65_535, 65_535)),
    ("jpeg-10000-scans", lying_jpeg(640, 480, 10_000)),
]


@pytest.mark.parametrize("picture", [p[1] for p in PICTURES], ids=[p[0] for p in PICTURES])
def test_a_picture_bomb_costs_no_memory(server, picture):
    async def work():
        async with Talk.open(server) as talk:
            await talk.say(image(square_png()))
            before = server.rss_mib()
            await talk.send("conversation.item.create", item={"type": "message", "role": "user", "content": [image(picture, "jpeg" if picture[:2] == b"\xff\xd8" else "png")]})
            error = await talk.error()
            assert error["code"] in ("invalid_image_format", "image_too_large"), error
            assert server.rss_mib() - before < 64, (before, server.rss_mib())

    go(work())


BOMBS = [
    ({"type": "input_audio_buffer.append", "audio": "T2dnUw" + "A" * (12 << 20)}, "message_too_large"),
    ({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "A" * (12 << 20)}]}}, "message_too_large"),
    ({"type": "response.create", "response": {"max_output_tokens": 10**9}}, "invalid_value"),
    ({"type": "session.update", "session": {"type": "realtime", "instructions": "a" * 100_000}}, "message_too_large"),
    ({"type": "session.update", "session": {"type": "realtime", "extensions": ["a"] * 1000}}, "invalid_value"),
    ({"type": "session.update", "session": {"type": "realtime", "tools": [{"type": "function", "name": "f"}] * 1000}}, None),
    ({"type": "session.event_ack", "server_event_seq": 10**30}, "invalid_value"),
]


@pytest.mark.parametrize(("message", "code"), BOMBS, ids=[f"{b[0]['type']}-{i}" for i, b in enumerate(BOMBS)])
def test_a_message_beyond_its_limits_is_refused_before_it_is_taken(server, message, code):
    async def work():
        async with Talk.open(server) as talk:
            await talk.socket.send(json.dumps(message))
            error = await talk.error()
            assert code is None or error["code"] == code, error
            assert len(error["message"]) < 500

    go(work())


def test_a_million_tiny_events_are_limited_and_the_neighbour_is_answered(server):
    async def work():
        async with Talk.open(server) as flood, Talk.open(server) as calm:
            over = asyncio.Event()

            async def pour() -> None:
                while not over.is_set():
                    for _ in range(500):
                        await flood.socket.send('{"type":"input_audio_buffer.clear"}')
                    # Sending does not wait while there is room: others here have to have their turn all the same.
                    await asyncio.sleep(0)

            async def drain() -> None:
                while not over.is_set():
                    await flood.socket.recv()

            pouring = [asyncio.ensure_future(pour()), asyncio.ensure_future(drain())]
            began = time.monotonic()
            answered = await calm.answer(conversation="none", input=[{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Say yes."}]}], max_output_tokens=2)
            assert answered["status"] in ("completed", "incomplete"), answered
            assert time.monotonic() - began < PATIENCE_S
            over.set()
            # A goodbye would stand behind everything that was poured.
            flood.socket.transport.abort()
            await asyncio.gather(*pouring, return_exceptions=True)

    go(work())


def test_logs_tell_no_secret(start_server, tmp_path):
    folder = tmp_path / "archive"
    server = start_server("secrets-log", f'server.api_keys=["{KEY}"]', f"archive.dir={folder}", "telemetry.log=trace")
    server.wait()
    secrets = [KEY]

    async def work():
        headers = {"Authorization": f"Bearer {KEY}"}
        token = json.loads(await asyncio.to_thread(post, server.url + "/v1/realtime/client_secrets", headers))["value"]
        secrets.append(token)
        protocols = ["realtime", f"openai-insecure-api-key.{token}"]
        async with Talk.open(server, "ext=resume,memory", subprotocols=protocols) as talk:
            resume = (await talk.until("session.resumable"))["resume_token"]
            memory = next(e for e in talk.seen if e["type"] == "memory.timeline")
            secrets.extend([resume.split(".")[1], memory["access_token"].split(".")[1]])
            await talk.say("The password is hunter-two.")
            talk.socket.transport.abort()
        async with websockets.connect(f"{server.ws}?resume={resume}&last_seq=1", subprotocols=protocols) as again:
            event = json.loads(await again.recv())
            assert event["type"] == "session.resumed"
            secrets.append(event["resume_token"].split(".")[1])
        await asyncio.to_thread(http, f"{server.url}/v1/sessions/{memory['memory_id']}/memory?access_token={memory['access_token']}")

    go(work())
    assert server.stop() == 0
    log = server.log()
    assert len(log) > 1000, "something was logged"
    for secret in secrets:
        assert secret not in log, f"{secret[:6]}… is in the log"
    page = base64.b64encode(KEY.encode()).decode()
    assert page not in log


def post(url: str, headers: dict) -> str:
    status, _, body = http(url, "POST", "{}", "application/json", more=headers)
    assert status == 200, body
    return body


def test_a_restart_lets_nobody_in_tells_those_inside_and_ends_in_time(start_server):
    server = start_server("drain", "server.drain_ms=4000", "server.max_sessions=4")
    server.wait()

    async def inside(query: str) -> tuple[list[dict], int]:
        async with websockets.connect(f"{server.ws}?{query}") as line:
            events = [json.loads(await line.recv())]
            ready.release()
            try:
                while True:
                    events.append(json.loads(await line.recv()))
            except websockets.exceptions.ConnectionClosed:
                return events, line.close_code

    async def work():
        global ready
        ready = asyncio.Semaphore(0)
        sessions = [asyncio.ensure_future(inside("ext=resume" if i % 2 else "model=x")) for i in range(3)]
        for _ in sessions:
            await asyncio.wait_for(ready.acquire(), PATIENCE_S)
        server.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        await asyncio.sleep(0.3)
        status, _, body = await asyncio.to_thread(http, server.url + "/readyz")
        assert status == 503 and "draining" in json.loads(body)["reasons"], body
        for address, method in (("/v1/realtime/calls", "POST"), ("/v1/realtime/client_secrets", "POST")):
            refused = await asyncio.to_thread(http, server.url + address, method, "v=0\r\n", "application/sdp")
            assert refused[0] == 503 and refused[1]["retry-after"] and json.loads(refused[2])["error"]["code"] == "server_draining", refused
        assert (await asyncio.to_thread(http, server.url + "/healthz"))[0] == 200
        ended = await asyncio.wait_for(asyncio.gather(*sessions), PATIENCE_S)
        assert [code for _, code in ended] == [1012] * 3
        for i, (events, _) in enumerate(ended):
            told = [e for e in events if e["type"] == "session.expiring"]
            assert len(told) == i % 2, events
            assert all(e["reason"] == "server_restarts" and 0 < e["seconds_left"] <= 4 for e in told), told
        assert await asyncio.to_thread(server.process.wait, 20) == 0
        assert time.monotonic() - began < 20

    go(work())


ready: asyncio.Semaphore
