# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pipecat: a pipeline around its OpenAI Realtime service, by `base_url`; it runs the tool itself."""
import asyncio
import io

from importlib.metadata import version

from lib import RED, RESULT, WEATHER, WSS, record, scenarios, told
from loguru import logger
from PIL import Image
from pipecat.adapters.schemas.function_schema import FunctionSchema
from pipecat.adapters.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import ErrorFrame, Frame, InputImageRawFrame, LLMFullResponseEndFrame, LLMMessagesAppendFrame, LLMTextFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineTask
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.openai.realtime import events, llm as realtime

logger.remove()


class Sink(FrameProcessor):
    """Hears what comes out: words, ends of responses, errors."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.answers, self.errors = "", asyncio.Queue(), []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMTextFrame):
            self.words += frame.text
        elif isinstance(frame, LLMFullResponseEndFrame):
            if self.words:
                await self.answers.put(self.words)
            self.words = ""
        elif isinstance(frame, ErrorFrame):
            self.errors.append(frame.error)
        await self.push_frame(frame, direction)


def recorded(parse):
    def inner(text):
        record(text)
        return parse(text)

    return inner


async def talk(words: str, *shown: Frame) -> tuple[str, list]:
    """One conversation: the service sends what the context begins with, and later turns as sound only. Words, and arguments of calls."""
    called = []
    properties = events.SessionProperties(output_modalities=["text"], instructions="Be brief.")
    settings = realtime.OpenAIRealtimeLLMService.Settings(model="sightline", session_properties=properties)
    service = realtime.OpenAIRealtimeLLMService(api_key="any", base_url=WSS, settings=settings)

    async def weather(params) -> None:
        called.append(params.arguments)
        await params.result_callback(RESULT)

    service.register_function("get_weather", weather)
    schema = WEATHER["parameters"]
    tools = ToolsSchema([FunctionSchema("get_weather", WEATHER["description"], schema["properties"], schema["required"])])
    pair, sink = LLMContextAggregatorPair(LLMContext(tools=tools)), Sink()
    task = PipelineTask(Pipeline([pair.user(), service, sink, pair.assistant()]), idle_timeout_secs=None)
    runner = asyncio.create_task(PipelineRunner(handle_sigint=False).run(task))
    await task.queue_frames([*shown, LLMMessagesAppendFrame([{"role": "user", "content": words}], run_llm=True)])
    said = await sink.answers.get()
    await task.cancel()
    await runner
    assert not sink.errors, sink.errors
    return said, called


async def main() -> None:
    events.parse_server_event = recorded(events.parse_server_event)

    async def plain() -> None:
        said, called = await talk("Say hello.")
        assert said and not called

    async def picture() -> None:
        # As a transport hands on a camera: raw, at most one a second goes out, as an item without words.
        picture = Image.open(io.BytesIO(RED)).convert("RGB")
        said, _ = await talk("What colours do you see?", InputImageRawFrame(image=picture.tobytes(), size=picture.size, format="RGB"))
        assert "red" in said.lower(), said

    async def tool() -> None:
        said, called = await talk("What is the weather in Paris?")
        assert len(called) == 1 and "paris" in called[0]["city"].lower(), (called, said)
        told(said)

    await scenarios(f"Pipecat {version('pipecat-ai')}", {"text": plain, "picture": picture, "tool": tool})


asyncio.run(main())
