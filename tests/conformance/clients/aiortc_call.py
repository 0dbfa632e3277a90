# SPDX-License-Identifier: MIT OR Apache-2.0
"""aiortc: a WebRTC call with a camera track that shows a red square, events over the data channel."""
import asyncio
import json
import pathlib
import ssl
import sys
import urllib.request
from importlib.metadata import version

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from lib import PATIENCE_S, RESULT, URL, WEATHER, record, scenarios, told

sys.path.append(str(pathlib.Path(__file__).parents[2] / "python"))
from aiortc_talk import RedSquare  # noqa: E402


def post(sdp: str) -> tuple[int, str, str]:
    call = urllib.request.Request(URL + "/v1/realtime/calls", sdp.encode(), {"Content-Type": "application/sdp"})
    with urllib.request.urlopen(call, timeout=30, context=ssl.create_default_context()) as answer:
        return answer.status, answer.headers["Location"], answer.read().decode()


async def main() -> None:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    channel = peer.createDataChannel("oai-events")
    events: asyncio.Queue = asyncio.Queue()

    @channel.on("message")
    def heard(message: str) -> None:
        record(message)
        events.put_nowait(json.loads(message))

    async def until(kind: str) -> dict:
        while True:
            event = await asyncio.wait_for(events.get(), PATIENCE_S)
            if event["type"] == kind:
                return event
            assert event["type"] != "error", event["error"]

    def send(kind: str, **fields) -> None:
        channel.send(json.dumps({"type": kind, **fields}))

    async def answer(item: dict) -> list:
        send("conversation.item.create", item=item)
        send("response.create")
        response = (await until("response.done"))["response"]
        assert response["status"] == "completed", response
        return response["output"]

    def ask(words: str):
        return answer({"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]})

    def words(output: list) -> str:
        return "".join(p.get("text") or p.get("transcript") or "" for i in output for p in i.get("content", []))

    async def session() -> None:
        peer.addTrack(AudioStreamTrack())
        peer.addTrack(RedSquare())
        await peer.setLocalDescription(await peer.createOffer())
        status, location, sdp = await asyncio.to_thread(post, peer.localDescription.sdp)
        assert status == 201 and location.startswith("/v1/realtime/calls/rtc_"), (status, location)
        await peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        await until("session.created")
        send("session.update", session={"type": "realtime", "tools": [WEATHER], "audio": {"input": {"turn_detection": None}}})
        await until("session.updated")

    async def plain() -> None:
        assert words(await ask("Say hello."))

    async def picture() -> None:
        for _ in range(20):
            said = words(await ask("What colours do you see?"))
            if "red" in said.lower():
                return
            # The camera's first pictures may not have come yet, and that is said.
            await asyncio.sleep(1)
        raise AssertionError(said)

    async def tool() -> None:
        call = (await ask("What is the weather in Paris?"))[0]
        assert call["type"] == "function_call" and "paris" in json.loads(call["arguments"])["city"].lower(), call
        told(words(await answer({"type": "function_call_output", "call_id": call["call_id"], "output": RESULT})))

    work = {"session": session, "text": plain, "picture": picture, "tool": tool}
    await scenarios(f"aiortc {version('aiortc')}", work)


asyncio.run(main())
