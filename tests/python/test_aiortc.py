# SPDX-License-Identifier: MIT OR Apache-2.0
"""An independent WebRTC client: camera and microphone in, answers out, and every way a call may end."""
from __future__ import annotations

import asyncio
import json
import pathlib
import subprocess
import sys
import time

import pytest

pytest.importorskip("aiortc", reason="aiortc is missing: pip install -r tests/python/requirements.txt")

from calls import RATE, Call, Voice, camera, is_red  # noqa: E402
from harness import PATIENCE_S, Talk, go, http, is_free_udp, pcm  # noqa: E402


def test_a_spoken_question_about_the_camera_is_heard_and_answered(server, speak):
    async def work():
        voice = Voice(pcm(speak("What colours do you see?"), RATE))
        async with Call.place(server, camera(), voice, codec="VP8", query="ext=scene,latency") as call:
            assert (await call.until("session.created"))["session"]["object"] == "realtime.session"
            scene = await call.until("scene.facts", is_red)
            for thing in scene["objects"] + scene["labels"] + scene["texts"]:
                left, top, right, bottom = thing["box"]
                assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1, thing
            async with Talk.open(server, f"call_id={call.location.rsplit('/', 1)[-1]}") as beside:
                voice.speaks.set()
                await call.until("input_audio_buffer.speech_started")
                await call.until("input_audio_buffer.speech_stopped")
                heard = await call.until("conversation.item.input_audio_transcription.completed")
                words = heard["transcript"].lower()
                assert "color" in words or "colour" in words, heard
                answer = await call.answered()
                assert "red" in answer.lower(), answer
                latency = [e for e in call.seen if e["type"] == "response.latency"]
                assert len(latency) == 1 and latency[0]["total_ms"] > 0
                # 0 where a reading of the whole utterance was there before it ended.
                assert latency[0]["asr_ms"] >= 0
                await beside.until("response.done")
                assert told(beside.seen) == told(call.seen)

    go(work())


def told(events: list[dict]) -> list[dict]:
    """The events of an answer; deltas that waited for a client are sent to it as one."""
    out: list[dict] = []
    for event in (e for e in events if e["type"].startswith("response.output")):
        if event["type"] != "response.output_text.delta":
            out.append(event)
        elif out and out[-1]["type"] == event["type"]:
            out[-1]["delta"] += event["delta"]
        else:
            out.append({k: v for k, v in event.items() if k != "event_id"})
    return out


def test_vendor_events_come_to_those_who_asked_and_to_nobody_else(server):
    async def work():
        async with Call.place(server, camera(), Voice(), query="ext=scene,latency") as call:
            await call.until("scene.facts", is_red)
            join = f"call_id={call.location.rsplit('/', 1)[-1]}"
            async with Talk.open(server, join) as plain, Talk.open(server, join + "&ext=latency") as timed:
                await call.ask("What colours do you see?")
                await plain.until("response.done")
                await timed.until("response.done")
                vendor = [{e["type"] for e in seen} & {"scene.facts", "response.latency"} for seen in (call.seen, plain.seen, timed.seen)]
                assert vendor == [{"scene.facts", "response.latency"}, set(), {"response.latency"}]

    go(work())


@pytest.mark.parametrize("codec", ["H264", "VP8"])
def test_the_camera_is_seen_in_either_codec(server, codec):
    async def work():
        async with Call.place(server, camera(), Voice(), codec=codec, query="ext=scene") as call:
            assert f"{codec}/90000" in call.answer
            await call.until("scene.facts", is_red)
            answer = await call.ask("What colours do you see?")
            assert "red" in answer.lower(), answer

    go(work())


def test_without_a_camera_a_call_answers_and_claims_to_see_nothing(server):
    async def work():
        async with Call.place(server, Voice(), query="ext=scene") as call:
            answer = (await call.ask("What colours do you see?")).lower()
            assert answer and "red" not in answer, answer
            assert not [e for e in call.seen if e["type"] == "scene.facts"]

    go(work())


def test_an_event_over_the_data_channel_that_is_wrong_is_refused_by_name(server):
    async def work():
        async with Call.place(server, Voice()) as call:
            await call.until("session.created")
            before = server.metric("sightline_ingest_data_refused_total")
            for raw in [b"\xff\x00", "{", '{"type": "no.such.event", "event_id": "e"}']:
                call.channel.send(raw)
            codes = [(await call.until("error"))["error"]["code"] for _ in range(2)]
            assert codes == ["invalid_json", "unknown_event_type"]
            assert server.metric("sightline_ingest_data_refused_total") == before + 1, "bytes that are no text are counted"
            assert await call.ask("Say yes.")

    go(work())


def test_hanging_up_ends_the_call_for_everybody(server):
    async def work():
        async with Call.place(server, camera(), Voice()) as call:
            async with Talk.open(server, f"call_id={call.location.rsplit('/', 1)[-1]}") as beside:
                assert await call.hang_up() == 200
                await asyncio.wait_for(beside.socket.wait_closed(), 10)
                assert beside.socket.close_code == 1000
                assert await call.hang_up() == 404, "it is gone"
                await asyncio.to_thread(server.wait_for_sessions, 0, 10)

    go(work())


def test_a_camera_that_is_unplugged_leaves_the_call_alive(server):
    async def work():
        film = camera()
        async with Call.place(server, film, Voice(), query="ext=scene") as call:
            await call.until("scene.facts", is_red)
            film.stop()
            assert await call.ask("Say yes."), "it still answers"

    go(work())


def test_a_client_that_vanishes_is_noticed_and_its_port_is_free_again(start_server):
    server = start_server("own-ports", "ingest.shared_port=false")
    server.wait()
    pytest.importorskip("numpy", reason="numpy is missing: pip install -r tests/python/requirements.txt")
    script = pathlib.Path(__file__).with_name("aiortc_client.py")
    command = [sys.executable, str(script), server.url, "--seconds", str(2 * PATIENCE_S)]
    client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        for line in client.stdout:
            if json.loads(line)["kind"] == "channel":
                break
        held = [port for port in server.udp if not is_free_udp(port)]
        assert server.sessions() == 1 and len(held) == 1
    finally:
        client.kill()
        client.wait()
    began = time.monotonic()
    server.wait_for_sessions(0, seconds=25)
    while not is_free_udp(held[0]):
        assert time.monotonic() - began < 27, f"UDP port {held[0]} is still held"
        time.sleep(0.1)
    assert http(server.url + "/readyz")[0] == 200
    assert server.stop() == 0


def test_calls_at_one_time_share_one_port(server):
    async def work():
        async with Call.place(server, camera(), Voice(), query="ext=scene") as one, Call.place(server, Voice()) as two:
            assert [port for port in server.udp if not is_free_udp(port)] == [server.udp[0]]
            assert f" {server.udp[0]} typ host" in one.answer and f" {server.udp[0]} typ host" in two.answer
            await one.until("scene.facts", is_red)
            assert await two.ask("Say yes."), "each has its own packets"

    go(work())
