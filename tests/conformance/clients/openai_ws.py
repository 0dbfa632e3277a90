# SPDX-License-Identifier: MIT OR Apache-2.0
"""Python `openai`: `realtime.connect`."""
import asyncio
import json

import openai
from lib import PATIENCE_S, RED_URI, RESULT, URL, WEATHER, record, scenarios, told


def text(words: str) -> dict:
    return {"type": "input_text", "text": words}


async def main() -> None:
    client = openai.AsyncOpenAI(api_key="any", base_url=f"{URL}/v1", websocket_base_url=f"wss{URL[5:]}/v1", max_retries=0)
    async with client.realtime.connect(model="sightline") as connection:

        async def until(*kinds: str):
            while True:
                raw = await asyncio.wait_for(connection.recv_bytes(), PATIENCE_S)
                record(raw)
                event = connection.parse_event(raw)
                if event.type in kinds:
                    return event
                assert event.type != "error", event.error

        async def answer():
            await connection.response.create()
            response = (await until("response.done")).response
            assert response.status == "completed", response
            return response

        def words(response) -> str:
            return "".join(p.text or p.transcript or "" for i in response.output if i.type == "message" for p in i.content)

        async def say(*content: dict) -> None:
            await connection.conversation.item.create(item={"type": "message", "role": "user", "content": list(content)})

        async def session() -> None:
            await until("session.created")
            asked = {"type": "realtime", "instructions": "Be brief.", "output_modalities": ["text"], "tools": [WEATHER]}
            await connection.session.update(session=asked)
            made = (await until("session.updated")).session
            assert made.instructions == "Be brief." and made.tools[0].name == "get_weather", made

        async def plain() -> None:
            await say(text("Say hello."))
            assert words(await answer())

        async def picture() -> None:
            await say({"type": "input_image", "image_url": RED_URI}, text("What colours do you see?"))
            said = words(await answer())
            assert "red" in said.lower(), said

        async def tool() -> None:
            await say(text("What is the weather in Paris?"))
            call = (await answer()).output[0]
            assert call.type == "function_call" and "paris" in json.loads(call.arguments)["city"].lower(), call
            await connection.conversation.item.create(item={"type": "function_call_output", "call_id": call.call_id, "output": RESULT})
            told(words(await answer()))

        async def errors() -> None:
            await connection.response.cancel(event_id="mine")
            refused = (await until("error")).error
            assert refused.code == "response_cancel_not_active" and refused.event_id == "mine", refused

        work = {"session": session, "text": plain, "picture": picture, "tool": tool, "errors": errors}
        await scenarios(f"Python openai {openai.__version__}", work)


asyncio.run(main())
