# SPDX-License-Identifier: MIT OR Apache-2.0
"""Functions of the client's, called by the default model, with the stock OpenAI client."""
from __future__ import annotations

import json

import pytest

from harness import go
from test_openai import answer, connect, error, image, say, text, until
from harness import square_png

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "Name of the city"}}, "required": ["city"]},
}
TIMER = {
    "type": "function",
    "name": "set_timer",
    "description": "Start a timer that rings after some minutes",
    "parameters": {"type": "object", "properties": {"minutes": {"type": "integer"}, "label": {"type": "string"}}, "required": ["minutes"]},
}
LIGHT = {
    "type": "function",
    "name": "switch_light",
    "description": "Switch the light of a room on or off",
    "parameters": {
        "type": "object",
        "properties": {"room": {"type": "string", "enum": ["kitchen", "bedroom", "bathroom"]}, "on": {"type": "boolean"}},
        "required": ["room", "on"],
    },
}


async def offer(connection, *tools, choice="auto"):
    await connection.session.update(session={"type": "realtime", "tools": list(tools), "tool_choice": choice})
    session = (await until(connection, "session.updated"))[0].session
    assert [t.name for t in session.tools] == [t["name"] for t in tools]


async def call(connection, **response):
    """The one call of the next response, with its arguments read."""
    await connection.response.create(**({"response": response} if response else {}))
    done, events = await until(connection, "response.done")
    assert done.response.status == "completed", done.response
    calls = [i for i in done.response.output if i.type == "function_call"]
    assert len(calls) == 1, done.response.output
    of = {e.type: e for e in events}
    told = of["response.function_call_arguments.done"]
    assert told.arguments == calls[0].arguments and told.call_id == calls[0].call_id and told.name == calls[0].name
    assert "".join(e.delta for e in events if e.type == "response.function_call_arguments.delta") == told.arguments
    assert of["response.output_item.added"].item.type == "function_call"
    return calls[0], json.loads(calls[0].arguments)


@pytest.mark.parametrize(
    "question, name, expected",
    [
        ("What is the weather in Paris?", "get_weather", {"city": "paris"}),
        ("Set a timer for ten minutes.", "set_timer", {"minutes": 10}),
        ("Switch the light in the kitchen on, please.", "switch_light", {"room": "kitchen", "on": True}),
    ],
)
def test_a_question_for_a_tool_becomes_its_call(server, question, name, expected):
    async def work():
        async with connect(server) as connection:
            await offer(connection, WEATHER, TIMER, LIGHT)
            await say(connection, text(question))
            made, arguments = await call(connection)
            assert made.name == name
            for key, value in expected.items():
                got = arguments[key]
                assert (value in got.lower()) if isinstance(value, str) else got == value, arguments

    go(work())


def test_its_result_is_told_and_the_picture_is_answered_as_before(server):
    async def work():
        async with connect(server) as connection:
            await offer(connection, WEATHER)
            await say(connection, text("What is the weather in Oslo?"))
            made, _ = await call(connection)
            await connection.conversation.item.create(
                item={"type": "function_call_output", "call_id": "call_nobody", "output": "x"}, event_id="wrong"
            )
            assert (await error(connection, "wrong")).code == "invalid_tool_call_id"
            output = json.dumps({"temperature_celsius": -7, "sky": "snow"})
            await connection.conversation.item.create(item={"type": "function_call_output", "call_id": made.call_id, "output": output})
            await until(connection, "conversation.item.done")
            words, _ = await answer(connection)
            assert "7" in words or "snow" in words.lower(), words
            await say(connection, image(square_png()), text("What colours do you see?"))
            words, _ = await answer(connection)
            assert "red" in words.lower(), words

    go(work())


def test_a_function_that_must_be_called_is_and_one_that_must_not_is_not(server):
    async def work():
        async with connect(server) as connection:
            await offer(connection, WEATHER, TIMER, choice="none")
            await say(connection, text("What is the weather in Rome?"))
            words, events = await answer(connection)
            assert words and not any(e.type.startswith("response.function_call") for e in events)
            await say(connection, text("I am off to Rome for five days."))
            made, arguments = await call(connection, tool_choice={"type": "function", "name": "get_weather"})
            assert made.name == "get_weather" and arguments["city"], arguments

    go(work())
