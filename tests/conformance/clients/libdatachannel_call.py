# SPDX-License-Identifier: MIT OR Apache-2.0
"""libdatachannel, the WebRTC library of OBS Studio and of many native clients: a call without tracks, its picture sent as an item.

Its wrapper for Python knows no media tracks. What this shows is that ICE (libjuice), DTLS (OpenSSL) and SCTP (usrsctp) of that library come to terms with ours.
"""
import asyncio
from importlib.metadata import version

from call import Call, post, text, words
from lib import RED_URI, scenarios
from pylibdatachannel import Configuration, Description, DescriptionType, GatheringState, PeerConnection


async def main() -> None:
    loop = asyncio.get_running_loop()
    gathered = asyncio.Event()
    peer = PeerConnection(Configuration([]))

    def gathering(state: GatheringState) -> None:
        if state == GatheringState.COMPLETE:
            loop.call_soon_threadsafe(gathered.set)

    peer.on_gathering_state_change(gathering)
    # The offer is made, and candidates are gathered, as soon as there is something to agree on.
    channel = peer.create_data_channel("oai-events")
    call = Call(channel.send)
    channel.on_message(lambda message: loop.call_soon_threadsafe(call.heard, message))

    async def session() -> None:
        await gathered.wait()
        answer = await post(str(peer.local_description))
        peer.set_remote_description(Description(answer, DescriptionType.ANSWER))
        await call.begin()

    async def picture() -> None:
        said = words(await call.ask({"type": "input_image", "image_url": RED_URI}, text("What colours do you see?")))
        assert "red" in said.lower(), said

    work = {"session": session, "text": call.plain, "picture": picture, "tool": call.tool}
    await scenarios(f"libdatachannel (pylibdatachannel {version('pylibdatachannel')})", work)


asyncio.run(main())
