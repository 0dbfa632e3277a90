# SPDX-License-Identifier: MIT OR Apache-2.0
"""aiortc: a WebRTC call with a camera track that shows a red square, events over the data channel."""
import asyncio
import pathlib
import sys
from importlib.metadata import version

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from call import Call, post, text, words
from lib import scenarios

sys.path.append(str(pathlib.Path(__file__).parents[2] / "python"))
from aiortc_talk import RedSquare  # noqa: E402


async def main() -> None:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    channel = peer.createDataChannel("oai-events")
    call = Call(channel.send)
    channel.on("message", call.heard)

    async def session() -> None:
        peer.addTrack(AudioStreamTrack())
        peer.addTrack(RedSquare())
        await peer.setLocalDescription(await peer.createOffer())
        answer = await post(peer.localDescription.sdp)
        await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await call.begin()

    async def picture() -> None:
        for _ in range(20):
            said = words(await call.ask(text("What colours do you see?")))
            if "red" in said.lower():
                return
            # The camera's first pictures may not have come yet, and that is said.
            await asyncio.sleep(1)
        raise AssertionError(said)

    work = {"session": session, "text": call.plain, "picture": picture, "tool": call.tool}
    await scenarios(f"aiortc {version('aiortc')}", work)


asyncio.run(main())
