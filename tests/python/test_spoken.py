# SPDX-License-Identifier: MIT OR Apache-2.0
"""Answers said aloud: what is heard is what is written, over the WebSocket and in a call."""
from __future__ import annotations

import array
import asyncio
import base64
import math
import re

import pytest

from harness import LONG, MODELS, PATIENCE_S, Talk, go, pcm, text

if not (MODELS / "kokoro-82m" / "model.onnx").exists():
    pytest.skip("no voice is installed: `sightline models pull kokoro-82m`", allow_module_level=True)

QUESTION = "What is the capital of France?"
# The voice is slow beside other work.
SLOW_S = 4 * PATIENCE_S


@pytest.fixture(scope="module")
def server(start_server):
    # Beside other work the voice may be slow; that it is given up then is not what is tested here.
    server = start_server("spoken", "dialogue.voice_wait_ms=200000")
    server.wait()
    yield server
    assert server.stop() == 0


async def aloud(talk: Talk, **audio) -> dict:
    output = {"output_modalities": ["audio"], "audio": {"output": audio, "input": {"turn_detection": None}}}
    await talk.send("session.update", session={"type": "realtime", **output})
    return (await talk.until("session.updated"))["session"]


async def spoken(talk: Talk) -> tuple[dict, bytes]:
    """The response, and its sound."""
    sound = b""
    while True:
        event = await talk.next(SLOW_S)
        assert event["type"] != "error", event
        if event["type"] == "response.output_audio.delta":
            sound += base64.b64decode(event["delta"])
        if event["type"] == "response.done":
            return event["response"], sound


def words(said: str) -> list[str]:
    return re.findall(r"[a-z]+", said.lower())


def alike(heard: str, said: str) -> float:
    """The share of the words said that were heard."""
    heard_words = words(heard)
    return sum(word in heard_words for word in words(said)) / max(1, len(words(said)))


def loudness(samples: bytes) -> float:
    levels = array.array("h", samples[: len(samples) // 2 * 2])
    return math.sqrt(sum(level * level for level in levels) / max(1, len(levels)))


async def recognised(talk: Talk, sound: bytes) -> str:
    """What our own recogniser hears in it; 24 kHz."""
    for at in range(0, len(sound), 96_000):
        await talk.send("input_audio_buffer.append", audio=base64.b64encode(sound[at : at + 96_000]).decode())
    await talk.send("input_audio_buffer.commit")
    return (await talk.until("conversation.item.input_audio_transcription.completed", SLOW_S))["transcript"]


def test_what_is_heard_over_a_websocket_is_what_is_written(server):
    async def work():
        async with Talk.open(server, "model=sightline&ext=captions") as talk:
            session = await aloud(talk)
            assert session["output_modalities"] == ["audio"] and session["audio"]["output"]["voice"] == "kokoro-82m"
            await talk.say(QUESTION)
            await talk.send("response.create")
            response, sound = await spoken(talk)
            assert response["status"] == "completed", response
            said = response["output"][0]["content"][0]["transcript"]
            seconds = len(sound) / 48_000
            assert 0.5 < seconds < 60 and loudness(sound) > 300, (seconds, loudness(sound))
            assert response["usage"]["output_token_details"]["audio_tokens"] == pytest.approx(seconds * 20, abs=1.5)
            timed = [w for e in talk.seen if e["type"] == "response.output_audio.words" for w in e["words"]]
            assert words(" ".join(w["text"] for w in timed)) == words(said)
            assert all(a["end_ms"] <= b["start_ms"] + 30 for a, b in zip(timed, timed[1:]))
            assert timed[-1]["end_ms"] <= seconds * 1000 + 30
            heard = await recognised(talk, sound)
            assert alike(heard, said) >= 0.6, (heard, said)
            # Half of it was heard: half of it is kept.
            item, half = response["output"][0]["id"], int(seconds * 500)
            await talk.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=half)
            await talk.until("conversation.item.truncated")
            await talk.send("conversation.item.retrieve", item_id=item)
            kept = (await talk.until("conversation.item.retrieved"))["item"]["content"][0]["transcript"]
            assert said.startswith(kept) and len(kept) < len(said), (kept, said)
            assert len(words(kept)) == sum(w["end_ms"] <= half for w in timed)

    go(work(), 3 * SLOW_S)


def test_telephone_formats_and_a_single_spoken_response(server):
    async def work():
        async with Talk.open(server) as talk:
            await talk.send("session.update", session={"type": "realtime", "audio": {"output": {"format": {"type": "audio/pcmu"}}}})
            assert (await talk.until("session.updated"))["session"]["output_modalities"] == ["text"]
            await talk.say("Say yes.")
            await talk.send("response.create", response={"output_modalities": ["audio"]})
            response, sound = await spoken(talk)
            assert response["output_modalities"] == ["audio"]
            ms = response["usage"]["output_token_details"]["audio_tokens"] * 50
            assert len(sound) / 8 == pytest.approx(ms, abs=51), "one byte for each of 8000 samples a second"

    go(work(), SLOW_S)


def test_a_cancelled_answer_is_silent_and_the_next_one_is_not(server):
    async def work():
        async with Talk.open(server) as talk:
            await aloud(talk)
            await talk.say(LONG)
            await talk.send("response.create")
            await talk.until("response.output_audio.delta", SLOW_S)
            await talk.send("response.cancel")
            # A short answer may be made before the order to stop comes: then that is refused.
            status, refused = None, False
            while status is None or (status == "completed" and not refused):
                event = await talk.next(SLOW_S)
                refused |= event["type"] == "error" and event["error"]["code"] == "response_cancel_not_active"
                status = event["response"]["status"] if event["type"] == "response.done" else status
            assert status in ("cancelled", "completed"), status
            await talk.say(QUESTION)
            await talk.send("response.create")
            response, sound = await spoken(talk)
            assert response["status"] == "completed" and loudness(sound) > 300

    go(work(), 2 * SLOW_S)


# ── in a call ──


def audio_section(answer: str) -> str:
    return next(section for section in answer.split("m=") if section.startswith("audio"))


class Ear:
    """Writes down a track; 48 kHz mono."""

    def __init__(self, track) -> None:
        self.sound = b""
        self.task = asyncio.ensure_future(self.listen(track))

    async def listen(self, track) -> None:
        import av
        from aiortc.mediastreams import MediaStreamError

        to_mono = av.AudioResampler(format="s16", layout="mono", rate=24_000)
        try:
            while True:
                for frame in to_mono.resample(await track.recv()):
                    self.sound += bytes(frame.planes[0])[: frame.samples * 2]
        except MediaStreamError:
            pass


def test_in_a_call_the_answer_is_a_track_and_what_is_heard_is_what_is_written(server):
    pytest.importorskip("aiortc", reason="aiortc is missing: pip install -r tests/python/requirements.txt")
    from calls import Call, Voice

    async def work():
        async with Call.place(server, Voice(), query="ext=captions", hears=True) as call:
            assert "a=sendrecv" in audio_section(call.answer)
            ear = Ear(call.track)
            call.send("session.update", session={"type": "realtime", "output_modalities": ["audio"]})
            assert (await call.until("session.updated"))["session"]["output_modalities"] == ["audio"]
            call.send("conversation.item.create", item={"type": "message", "role": "user", "content": [text(QUESTION)]})
            call.send("response.create")
            await call.until("output_audio_buffer.started", seconds=SLOW_S)
            await call.until("output_audio_buffer.stopped", seconds=SLOW_S)
            await asyncio.sleep(0.5)
            kinds = [e["type"] for e in call.seen]
            assert "response.output_audio.delta" not in kinds and "response.output_audio.words" in kinds
            assert kinds.index("response.output_audio_transcript.done") < kinds.index("response.done")
            said = next(e["transcript"] for e in call.seen if e["type"] == "response.output_audio_transcript.done")
            assert loudness(ear.sound) > 100, loudness(ear.sound)
            async with Talk.open(server) as beside:
                await aloud(beside)
                heard = await recognised(beside, ear.sound)
            assert alike(heard, said) >= 0.6, (heard, said)

    go(work(), 3 * SLOW_S)


def test_who_speaks_into_a_spoken_answer_stops_it_and_the_rest_was_never_said(server, speak):
    pytest.importorskip("aiortc", reason="aiortc is missing: pip install -r tests/python/requirements.txt")
    from calls import RATE, Call, Voice

    async def work():
        voice = Voice(pcm(speak("Stop! What is the capital of France?"), RATE))
        async with Call.place(server, voice, hears=True) as call:
            call.send("session.update", session={"type": "realtime", "output_modalities": ["audio"]})
            await call.until("session.updated")
            call.send("conversation.item.create", item={"type": "message", "role": "user", "content": [text(LONG)]})
            call.send("response.create")
            await call.until("output_audio_buffer.started", seconds=SLOW_S)
            voice.speaks.set()
            cleared = await call.until("output_audio_buffer.cleared", seconds=SLOW_S)
            cut = await call.until("conversation.item.truncated")
            kinds = [e["type"] for e in call.seen]
            assert kinds.index("input_audio_buffer.speech_started") < kinds.index("output_audio_buffer.cleared")
            said = next(e for e in call.seen if e["type"] == "response.output_audio_transcript.done")
            assert said["response_id"] == cleared["response_id"] and said["item_id"] == cut["item_id"]
            call.send("conversation.item.retrieve", item_id=cut["item_id"])
            kept = (await call.until("conversation.item.retrieved"))["item"]["content"][0]["transcript"]
            assert said["transcript"].startswith(kept) and cut["audio_end_ms"] > 0, (kept, said)
            # The question that was said into it is answered, aloud.
            await call.until("output_audio_buffer.started", seconds=SLOW_S)
            await call.until("output_audio_buffer.stopped", seconds=SLOW_S)

    go(work(), 3 * SLOW_S)


def test_a_call_that_is_gone_on_with_over_a_websocket_is_spoken_in_there(server):
    pytest.importorskip("aiortc", reason="aiortc is missing: pip install -r tests/python/requirements.txt")
    from calls import Call, Voice

    async def work():
        async with Call.place(server, Voice(), query="ext=resume", hears=True) as call:
            token = (await call.until("session.resumable"))["resume_token"]
            call.send("session.update", session={"type": "realtime", "output_modalities": ["audio"]})
            await call.until("session.updated")
            call.location = ""
        while not server.metric("sightline_sessions_away"):
            await asyncio.sleep(0.1)
        async with Talk.open(server, f"resume={token}&last_seq=0") as talk:
            await talk.until("session.resumed")
            for _ in range(2):
                await talk.say(QUESTION)
                await talk.send("response.create")
                response, sound = await spoken(talk)
                assert response["status"] == "completed" and loudness(sound) > 100, response

    go(work(), 3 * SLOW_S)


def test_a_call_that_takes_no_sound_is_answered_in_text(server):
    pytest.importorskip("aiortc", reason="aiortc is missing: pip install -r tests/python/requirements.txt")
    from calls import Call, Voice

    async def work():
        async with Call.place(server, Voice()) as call:
            assert "a=recvonly" in audio_section(call.answer)
            call.send("session.update", session={"type": "realtime", "output_modalities": ["audio"]})
            session = (await call.until("session.updated"))["session"]
            assert session["output_modalities"] == ["text"] and session["audio"]["output"]["voice"] == "none"

    go(work())
