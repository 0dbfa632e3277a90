# SPDX-License-Identifier: MIT OR Apache-2.0
"""The rest of the wire: pictures with sound, sessions that only write down, requests of before GA."""
from __future__ import annotations

import asyncio
import base64
import fractions
import json

import pytest

from harness import ARTIFACTS, Talk, go, http, pcm, square_png, text


def jpeg(colour: tuple[int, int, int]) -> str:
    av = pytest.importorskip("av", reason="PyAV is missing: pip install -r tests/python/requirements.txt")
    png = ARTIFACTS / "square.png"
    png.write_bytes(square_png(colour))
    with av.open(str(png)) as picture:
        frame = next(picture.decode(video=0)).reformat(format="yuvj420p")
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = frame.width, frame.height, "yuvj420p", fractions.Fraction(1, 1)
    return base64.b64encode(bytes(encoder.encode(frame)[0])).decode()


def test_video_frames_beside_sound_are_watched(server):
    red = jpeg((220, 20, 20))

    async def work():
        async with Talk.open(server, "ext=scene,video") as talk:
            await talk.send("input_audio_buffer.append", video_frames=[red])
            await talk.until("scene.facts")
            await talk.send("input_audio_buffer.append", audio=base64.b64encode(bytes(4800)).decode(), video_frames=[red, red])
            assert "red" in (await talk.ask("What colours do you see?")).lower()
            await talk.send("input_audio_buffer.append", video_frames=[red] * 3, event_id="many")
            assert (await talk.error())["code"] == "message_too_large"
            await talk.send("input_audio_buffer.append", video_frames=["AAAA"])
            assert (await talk.error())["code"] == "invalid_image_format"
            # A picture that cannot be decoded costs nothing but itself.
            broken = base64.b64encode(b"\xff\xd8\xff\xe0 rubbish").decode()
            await talk.send("input_audio_buffer.append", video_frames=[broken])
            assert "red" in (await talk.ask("What colours do you see?")).lower()

    go(work())


def test_pictures_without_words_that_keep_coming_are_a_camera(server):
    picture = {"type": "input_image", "image_url": f"data:image/jpeg;base64,{jpeg((220, 20, 20))}"}

    async def work():
        async with Talk.open(server, "ext=scene") as talk:
            for _ in range(8):
                await talk.say(picture)
                await asyncio.sleep(0.5)
            if not any(e["type"] == "scene.facts" for e in talk.seen):
                await talk.until("scene.facts")
            while sum(e["type"] == "conversation.item.deleted" for e in talk.seen) < 4:
                await talk.until("conversation.item.deleted")
            assert "red" in (await talk.ask("What colours do you see?")).lower()

    go(work())


def test_a_session_for_transcription_writes_down_and_answers_nothing(server, speak):
    pytest.importorskip("av", reason="PyAV is missing: pip install -r tests/python/requirements.txt")
    sound = bytes(4800) + pcm(speak("What is the colour of the sky?"), 24_000) + bytes(2 * 24_000 * 2)

    async def work():
        async with Talk.open(server, "intent=transcription") as talk:
            session = talk.seen[0]["session"]
            assert (session["type"], session["object"]) == ("transcription", "realtime.transcription_session")
            await talk.send("session.update", session={"type": "transcription", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}})
            assert (await talk.until("session.updated"))["session"]["type"] == "transcription"
            await talk.send("session.update", session={"type": "realtime"})
            assert (await talk.error())["param"] == "session.type"
            for at in range(0, len(sound), 4800):
                await talk.send("input_audio_buffer.append", audio=base64.b64encode(sound[at : at + 4800]).decode())
            heard = await talk.until("conversation.item.input_audio_transcription.completed")
            assert "sky" in heard["transcript"].lower(), heard
            await talk.send("response.create", event_id="ask")
            assert (await talk.error())["event_id"] == "ask"
            assert not [e for e in talk.seen if e["type"].startswith("response.")]

    go(work())


def test_requests_of_before_ga_and_of_telephones(server):
    asked = json.dumps({"model": "gpt-4o-realtime-preview", "modalities": ["text"], "instructions": "Be brief.", "voice": "verse"})
    status, _, body = http(server.url + "/v1/realtime/sessions", "POST", asked, "application/json")
    made = json.loads(body)
    assert status == 200 and made["client_secret"]["value"].startswith("ek_") and made["instructions"] == "Be brief."
    assert made["modalities"] == ["text"] and made["object"] == "realtime.session" and "audio" not in made
    assert http(server.url + "/v1/realtime/sessions", "POST", '{"instructions": 5}', "application/json")[0] == 400
    for verb in ("accept", "reject", "refer"):
        status, _, body = http(f"{server.url}/v1/realtime/calls/rtc_none/{verb}", "POST", "{}", "application/json")
        assert status == 404 and json.loads(body)["error"]["code"] == "call_not_found"

    async def work():
        # As browsers before GA did.
        protocols = ["realtime", f"openai-insecure-api-key.{made['client_secret']['value']}", "openai-beta.realtime-v1"]
        async with Talk.open(server, subprotocols=protocols) as talk:
            assert talk.socket.subprotocol == "realtime"
            session = talk.seen[0]["session"]
            assert session["instructions"] == "Be brief." and session["input_audio_format"] == "pcm16"
            await talk.send("conversation.item.create", item={"type": "message", "role": "user", "content": [text("Say hello.")]})
            await talk.until("conversation.item.created")
            await talk.send("response.create")
            await talk.until("response.text.done")
            await talk.until("response.done")
            assert not [e for e in talk.seen if e["type"].startswith(("response.output_text", "conversation.item.done", "conversation.item.added"))]

    go(work())
