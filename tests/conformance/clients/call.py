# SPDX-License-Identifier: MIT OR Apache-2.0
"""A call as any WebRTC library makes it: an offer is posted, events go over its data channel."""
from __future__ import annotations

import asyncio
import json
import ssl
import urllib.request
from collections.abc import Callable

from lib import PATIENCE_S, RESULT, URL, WEATHER, record, told


async def post(offer: str) -> str:
    """Posts an offer; the answer."""

    def send() -> tuple[int, str, str]:
        call = urllib.request.Request(URL + "/v1/realtime/calls", offer.encode(), {"Content-Type": "application/sdp"})
        with urllib.request.urlopen(call, timeout=30, context=ssl.create_default_context()) as answer:
            return answer.status, answer.headers["Location"], answer.read().decode()

    status, location, sdp = await asyncio.to_thread(send)
    assert status == 201 and location.startswith("/v1/realtime/calls/rtc_"), (status, location)
    return sdp


def words(output: list) -> str:
    return "".join(p.get("text") or p.get("transcript") or "" for i in output for p in i.get("content", []))


class Call:
    """The conversation over a data channel, of which only sending text is the library's."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self.say = say
        self.events: asyncio.Queue = asyncio.Queue()

    def heard(self, message: str) -> None:
        record(message)
        self.events.put_nowait(json.loads(message))

    async def until(self, kind: str) -> dict:
        while True:
            event = await asyncio.wait_for(self.events.get(), PATIENCE_S)
            if event["type"] == kind:
                return event
            assert event["type"] != "error", event["error"]

    def send(self, kind: str, **fields) -> None:
        self.say(json.dumps({"type": kind, **fields}))

    async def begin(self) -> None:
        """The session is there, and has a function."""
        await self.until("session.created")
        self.send("session.update", session={"type": "realtime", "tools": [WEATHER], "audio": {"input": {"turn_detection": None}}})
        await self.until("session.updated")

    async def answer(self, item: dict) -> list:
        self.send("conversation.item.create", item=item)
        self.send("response.create")
        response = (await self.until("response.done"))["response"]
        assert response["status"] == "completed", response
        return response["output"]

    async def ask(self, *content: dict) -> list:
        return await self.answer({"type": "message", "role": "user", "content": list(content)})

    async def plain(self) -> None:
        assert words(await self.ask(text("Say hello.")))

    async def tool(self) -> None:
        call = (await self.ask(text("What is the weather in Paris?")))[0]
        assert call["type"] == "function_call" and "paris" in json.loads(call["arguments"])["city"].lower(), call
        told(words(await self.answer({"type": "function_call_output", "call_id": call["call_id"], "output": RESULT})))


def text(what: str) -> dict:
    return {"type": "input_text", "text": what}
