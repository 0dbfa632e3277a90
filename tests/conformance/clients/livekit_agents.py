# SPDX-License-Identifier: MIT OR Apache-2.0
"""LiveKit Agents: the realtime session of its OpenAI plugin, by `base_url`."""
import asyncio
import json
from importlib.metadata import version

from lib import RED_URI, RESULT, URL, record, scenarios, told
from livekit.agents import function_tool, llm
from livekit.plugins.openai.realtime import RealtimeModel


@function_tool
async def get_weather(city: str) -> str:
    """Get the current weather in a city"""
    return RESULT


async def main() -> None:
    model = RealtimeModel(model="sightline", modalities=["text"], base_url=f"{URL}/v1", api_key="any")
    session = model.session()
    session.on("openai_server_event_received", lambda event: record(json.dumps(event)))
    errors = []
    session.on("error", errors.append)

    async def say(*content) -> None:
        context = session.chat_ctx.copy()
        context.add_message(role="user", content=list(content))
        await session.update_chat_ctx(context)

    async def reply() -> tuple[str, list]:
        made = await session.generate_reply()
        words, calls = "", []
        async for message in made.message_stream:
            words += "".join([t async for t in message.text_stream])
        async for call in made.function_stream:
            calls.append(call)
        return words, calls

    async def open_session() -> None:
        await session.update_instructions("Be brief.")
        await session.update_tools([get_weather])

    async def plain() -> None:
        await say("Say hello.")
        words, _ = await reply()
        assert words

    async def picture() -> None:
        await say(llm.ImageContent(image=RED_URI), "What colours do you see?")
        words, _ = await reply()
        assert "red" in words.lower(), words

    async def tool() -> None:
        await say("What is the weather in Paris?")
        _, calls = await reply()
        assert len(calls) == 1 and "paris" in json.loads(calls[0].arguments)["city"].lower(), calls
        context = session.chat_ctx.copy()
        context.items.append(llm.FunctionCallOutput(call_id=calls[0].call_id, name="get_weather", output=RESULT, is_error=False))
        await session.update_chat_ctx(context)
        words, _ = await reply()
        told(words)

    async def quiet() -> None:
        assert not errors, errors

    work = {"session": open_session, "text": plain, "picture": picture, "tool": tool, "errors": quiet}
    await scenarios(f"LiveKit Agents {version('livekit-agents')}", work)


asyncio.run(main())
