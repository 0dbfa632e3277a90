# SPDX-License-Identifier: MIT OR Apache-2.0
"""The stock OpenAI Python client over WebSocket."""
from __future__ import annotations

import asyncio
import base64
import contextlib
import json

import pytest

from harness import LONG, PATIENCE_S, go, http, image, pcm, square_png, text, words_png

openai = pytest.importorskip("openai", reason="the openai package is missing: pip install -r tests/python/requirements.txt")

# The events of an answer. Deltas may repeat, `rate_limits.updated` may be left out, nothing else may come between.
ORDER = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "conversation.item.done",
    "response.done",
]


@contextlib.asynccontextmanager
async def connect(server, key="none"):
    client = openai.AsyncOpenAI(api_key=key, base_url=f"{server.url}/v1", websocket_base_url=f"ws{server.url[4:]}/v1")
    async with client.realtime.connect(model="sightline") as connection:
        assert (await connection.recv()).type == "session.created"
        yield connection


async def until(connection, *kinds: str):
    """The next event of these kinds, and all before it. An `error` that was not asked for is a failure."""
    before = []
    while True:
        event = await asyncio.wait_for(connection.recv(), PATIENCE_S)
        before.append(event)
        if event.type in kinds:
            return event, before
        assert event.type != "error", event.error


async def error(connection, event_id: str):
    """The next event, which must be the refusal of this one."""
    event, _ = await until(connection, "error")
    assert event.error.event_id == event_id, event.error
    assert len(event.error.message) > 10
    return event.error


async def say(connection, *content: dict, **item):
    await connection.conversation.item.create(item={"type": "message", "role": "user", "content": list(content), **item})
    added, _ = await until(connection, "conversation.item.added")
    done, _ = await until(connection, "conversation.item.done")
    assert added.item.id == done.item.id
    return done.item


async def answer(connection, status="completed", **response):
    await connection.response.create(**({"response": response} if response else {}))
    done, events = await until(connection, "response.done")
    assert done.response.status == status, done.response
    words = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    return words, events


def test_a_question_in_text_is_answered_event_by_event(server):
    async def work():
        async with connect(server) as connection:
            await say(connection, text("Say hello."))
            words, events = await answer(connection)
            kinds = [e.type for e in events if e.type != "rate_limits.updated"]
            once = [k for i, k in enumerate(kinds) if k != "response.output_text.delta" or kinds[i - 1] != k]
            assert once == ORDER
            ids = [e.event_id for e in events]
            assert len(set(ids)) == len(ids), "an event_id came twice"
            of = {e.type: e for e in events}
            assert words and of["response.output_text.done"].text == words
            assert of["response.content_part.done"].part.text == words
            done = of["response.done"].response
            assert done.output[0].content[0].text == words
            assert done.output[0].id == of["response.output_item.added"].item.id
            assert done.id == of["response.created"].response.id
            assert done.usage.total_tokens == done.usage.input_tokens + done.usage.output_tokens
            assert done.usage.output_tokens >= kinds.count("response.output_text.delta") > 0

    go(work())


def test_colours_and_words_in_a_picture_are_told(server):
    async def work():
        async with connect(server) as connection:
            await say(connection, image(square_png()), text("What colours do you see?"))
            words, _ = await answer(connection)
            assert "red" in words.lower(), words
            await say(connection, image(words_png("HELLO 42")), text("What does the text say?"))
            words, _ = await answer(connection)
            assert "hello" in words.lower() and "42" in words, words

    go(work())


def test_a_session_update_changes_what_it_names_and_nothing_else(server):
    async def work():
        async with connect(server) as connection:
            async def update(**fields):
                await connection.session.update(session={"type": "realtime", **fields})
                return (await until(connection, "session.updated"))[0].session

            first = await update(instructions="Be brief.")
            turns = first.audio.input.turn_detection
            assert first.instructions == "Be brief." and turns.type == "server_vad"
            second = await update(audio={"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 800}}})
            assert second.instructions == "Be brief.", "not named, so not changed"
            assert second.audio.input.turn_detection.silence_duration_ms == 800
            assert second.audio.input.format == first.audio.input.format
            third = await update(audio={"input": {"turn_detection": None}})
            assert third.audio.input.turn_detection is None
            assert (await update(instructions="")).instructions == ""
            await connection.session.update(session={"type": "realtime", "instructions": 5}, event_id="five")
            wrong = await error(connection, "five")
            assert wrong.code == "invalid_type" and wrong.param == "session.instructions"

    go(work())


def test_what_cannot_be_done_is_refused_by_name_and_the_session_goes_on(server):
    async def work():
        async with connect(server) as connection:
            await connection.response.cancel(event_id="no-response")
            assert (await error(connection, "no-response")).code == "response_cancel_not_active"
            await connection.input_audio_buffer.commit(event_id="no-sound")
            assert (await error(connection, "no-sound")).code == "input_audio_buffer_commit_empty"
            await connection.conversation.item.retrieve(item_id="nobody", event_id="no-item")
            wrong = await error(connection, "no-item")
            assert wrong.code == "item_retrieve_invalid_item_id" and "nobody" in wrong.message
            await connection.conversation.item.delete(item_id="nobody", event_id="no-delete")
            assert (await error(connection, "no-delete")).code == "item_delete_invalid_item_id"
            message = {"type": "message", "role": "user", "content": [text("Hi.")]}
            await connection.conversation.item.create(item=message, previous_item_id="nobody", event_id="no-place")
            assert (await error(connection, "no-place")).code == "item_create_invalid_previous_item_id"
            await say(connection, text("Say yes."))
            assert (await answer(connection))[0]

    go(work())


def test_items_are_kept_found_and_deleted(server):
    async def work():
        async with connect(server) as connection:
            item = await say(connection, text("Remember me."), id="mine")
            assert item.id == "mine"
            message = {"type": "message", "role": "user", "id": "mine", "content": [text("Me too.")]}
            await connection.conversation.item.create(item=message, event_id="twin")
            assert (await error(connection, "twin")).code == "item_create_duplicate_item_id"
            await connection.conversation.item.retrieve(item_id="mine")
            found, _ = await until(connection, "conversation.item.retrieved")
            assert found.item.content[0].text == "Remember me."
            await connection.conversation.item.delete(item_id="mine")
            assert (await until(connection, "conversation.item.deleted"))[0].item_id == "mine"
            await connection.conversation.item.retrieve(item_id="mine", event_id="gone")
            assert (await error(connection, "gone")).code == "item_retrieve_invalid_item_id"

    go(work())


def test_one_response_at_a_time_and_it_can_be_cancelled(server):
    async def work():
        async with connect(server) as connection:
            await say(connection, text(LONG))
            await connection.response.create()
            created, _ = await until(connection, "response.created")
            await connection.response.create(event_id="second")
            assert (await error(connection, "second")).code == "conversation_already_has_active_response"
            await connection.response.cancel(response_id=created.response.id)
            done, _ = await until(connection, "response.done")
            assert done.response.id == created.response.id
            assert done.response.status == "cancelled"
            assert done.response.status_details.reason == "client_cancelled"
            await say(connection, text("Say yes."))
            assert (await answer(connection))[0], "after a cancelled response comes the next one"

    go(work())


def test_a_response_outside_the_conversation_leaves_no_trace(server):
    async def work():
        async with connect(server) as connection:
            question = {"type": "message", "role": "user", "content": [text("Say yes.")]}
            words, events = await answer(connection, conversation="none", metadata={"topic": "test"}, input=[question])
            done = events[-1].response
            assert words and done.conversation_id is None and done.metadata == {"topic": "test"}
            assert not [e for e in events if e.type.startswith("conversation.item")]
            await connection.conversation.item.retrieve(item_id=done.output[0].id, event_id="not-kept")
            assert (await error(connection, "not-kept")).code == "item_retrieve_invalid_item_id"

    go(work())


def test_an_answer_that_reaches_its_limit_says_so(server):
    async def work():
        async with connect(server) as connection:
            await say(connection, text(LONG))
            words, events = await answer(connection, status="incomplete", max_output_tokens=4)
            done = events[-1].response
            assert words and done.usage.output_tokens == 4 == done.max_output_tokens
            assert done.status_details.reason == "max_output_tokens"

    go(work())


@pytest.mark.parametrize("hands_free", [True, False], ids=["turns-by-voice-activity", "turns-by-commit"])
def test_speech_in_the_audio_buffer_is_written_down_and_answered(server, speak, hands_free):
    pytest.importorskip("av", reason="PyAV is missing: pip install -r tests/python/requirements.txt")
    sound = bytes(4800) + pcm(speak("What is the colour of the sky?"), 24_000) + bytes(2 * 24_000 * 3 // 2)

    async def work():
        async with connect(server) as connection:
            if not hands_free:
                await connection.session.update(session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
                await until(connection, "session.updated")
            for at in range(0, len(sound), 4800):
                await connection.input_audio_buffer.append(audio=base64.b64encode(sound[at : at + 4800]).decode())
            if hands_free:
                started, _ = await until(connection, "input_audio_buffer.speech_started")
                stopped, _ = await until(connection, "input_audio_buffer.speech_stopped")
                assert 0 <= started.audio_start_ms < stopped.audio_end_ms <= len(sound) // 48
            else:
                await connection.input_audio_buffer.commit()
            committed, _ = await until(connection, "input_audio_buffer.committed")
            heard, _ = await until(connection, "conversation.item.input_audio_transcription.completed")
            assert heard.item_id == committed.item_id
            assert "sky" in heard.transcript.lower(), heard.transcript
            if not hands_free:
                await connection.response.create()
            done, events = await until(connection, "response.done")
            assert done.response.status == "completed"
            assert any(e.type == "response.output_text.delta" for e in events)

    go(work())


def test_where_there_are_keys_only_a_key_opens(start_server):
    key = "open-sesame-0123456789"
    server = start_server("keys", f"server.api_keys={key},{key[::-1]}")
    server.wait()

    async def work():
        async with connect(server, key=key) as connection:
            await say(connection, text("Say yes."))
            assert (await answer(connection))[0]
        with pytest.raises(Exception, match="401"):
            async with connect(server, key=key[:-1]):
                pass

    go(work())
    status, _, body = http(server.url + "/v1/realtime/calls", "POST", "v=0", "application/sdp")
    assert status == 401 and json.loads(body)["error"]["code"] == "invalid_api_key"
    assert server.stop() == 0 and key not in server.log()
