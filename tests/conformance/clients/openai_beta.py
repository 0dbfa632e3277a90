# SPDX-License-Identifier: MIT OR Apache-2.0
"""Python `openai` of before GA: `client.beta.realtime`, which sends `OpenAI-Beta: realtime=v1` and knows the older names only."""
import asyncio
import json

import openai
from lib import PATIENCE_S, RED_URI, RESULT, URL, WEATHER, scenarios, told
from openai.types.beta.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

KNOWN = TypeAdapter(RealtimeServerEvent)


def strictly(raw: bytes) -> None:
    """An event that the older SDK has no type for, or of another shape, fails here. Two of its types are lists that were closed at the time: a session's model
    is one of OpenAI's, and items hold no pictures. Those are said to be what it knows."""
    event = json.loads(raw)
    if "model" in event.get("session", {}):
        event["session"]["model"] = "gpt-4o-realtime-preview"
    for part in event.get("item", {}).get("content") or []:
        if part["type"] == "input_image":
            part["type"] = "input_text"
    KNOWN.validate_python(event)


def text(words: str) -> dict:
    return {"type": "input_text", "text": words}


async def main() -> None:
    client = openai.AsyncOpenAI(api_key="any", base_url=f"{URL}/v1", websocket_base_url=f"wss{URL[5:]}/v1", max_retries=0)
    async with client.beta.realtime.connect(model="sightline") as connection:

        async def until(*kinds: str):
            said = ""
            while True:
                raw = await asyncio.wait_for(connection.recv_bytes(), PATIENCE_S)
                strictly(raw)
                event = connection.parse_event(raw)
                if event.type == "response.text.delta":
                    said += event.delta
                if event.type in kinds:
                    return event, said
                assert event.type != "error", event.error

        async def answer():
            await connection.response.create(response={"modalities": ["text"]})
            done, said = await until("response.done")
            assert done.response.status == "completed", done.response
            return done.response, said

        async def say(*content: dict) -> None:
            await connection.conversation.item.create(item={"type": "message", "role": "user", "content": list(content)})
            await until("conversation.item.created")

        async def session() -> None:
            await until("session.created")
            asked = {"modalities": ["text"], "instructions": "Be brief.", "input_audio_format": "g711_ulaw", "tools": [WEATHER]}
            await connection.session.update(session={**asked, "turn_detection": {"type": "server_vad", "silence_duration_ms": 700}})
            made = (await until("session.updated"))[0].session
            assert made.modalities == ["text"] and made.input_audio_format == "g711_ulaw", made
            assert made.turn_detection.silence_duration_ms == 700 and made.tools[0].name == "get_weather", made

        async def plain() -> None:
            await say(text("Say hello."))
            response, said = await answer()
            assert said and response.output[0].content[0].type == "text" and response.output[0].content[0].text == said

        async def picture() -> None:
            await say({"type": "input_image", "image_url": RED_URI}, text("What colours do you see?"))
            _, said = await answer()
            assert "red" in said.lower(), said

        async def tool() -> None:
            await say(text("What is the weather in Paris?"))
            call = (await answer())[0].output[0]
            assert call.type == "function_call" and "paris" in json.loads(call.arguments)["city"].lower(), call
            await connection.conversation.item.create(item={"type": "function_call_output", "call_id": call.call_id, "output": RESULT})
            told((await answer())[1])

        await scenarios(f"Python openai {openai.__version__}, beta", {"session": session, "text": plain, "picture": picture, "tool": tool})


asyncio.run(main())
