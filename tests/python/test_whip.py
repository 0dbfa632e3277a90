# SPDX-License-Identifier: MIT OR Apache-2.0
"""WHIP (RFC 9725): an independent client streams into a session, and the signalling by hand."""
from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

pytest.importorskip("aiortc", reason="aiortc is missing: pip install -r tests/python/requirements.txt")

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription  # noqa: E402
from calls import Voice, camera, is_red  # noqa: E402
from harness import PATIENCE_S, Talk, go, http  # noqa: E402
from test_bad_input import offer  # noqa: E402

SDP, FRAGMENT = "application/sdp", "application/trickle-ice-sdpfrag"
CANDIDATE = "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\n"


@contextlib.asynccontextmanager
async def streaming(server, name: str):
    """A client that has a camera and a microphone, no channel for events, and WHIP for its signalling."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for track in (camera(), Voice()):
        peer.addTransceiver(track, direction="sendonly")
    await peer.setLocalDescription(await peer.createOffer())
    status, headers, answer = await asyncio.to_thread(http, f"{server.url}/whip/{name}", "POST", peer.localDescription.sdp, SDP)
    assert status == 201 and headers["location"] == f"/whip/{name}", answer
    try:
        await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        yield peer
    finally:
        await peer.close()


def test_what_is_streamed_is_seen_and_asked_about_beside_it(server):
    async def work():
        async with streaming(server, "studio"):
            async with Talk.open(server, "call_id=studio&ext=scene,video") as talk:
                while not is_red(await talk.until("scene.facts")):
                    pass
                answer = await talk.ask("What colours do you see?")
                assert "red" in answer.lower(), answer
                taken = await asyncio.to_thread(http, f"{server.url}/whip/studio", "POST", offer(), SDP)
                assert code(taken) == (409, "call_name_taken")
                assert (await asyncio.to_thread(http, f"{server.url}/whip/studio", "DELETE"))[0] == 200
                await asyncio.wait_for(talk.socket.wait_closed(), PATIENCE_S)
        status, headers, _ = await asyncio.to_thread(http, f"{server.url}/whip/studio", "POST", offer(), SDP)
        assert status == 201, "the name is free again"
        await asyncio.to_thread(http, server.url + headers["location"], "DELETE")

    go(work())


def test_a_session_ends_when_what_streams_into_it_is_gone(server):
    async def work():
        async with streaming(server, "short"):
            async with Talk.open(server, "call_id=short&ext=scene") as talk:
                await talk.until("scene.facts")
        await asyncio.to_thread(server.wait_for_sessions, 0, 2 * PATIENCE_S)

    go(work())


# ── signalling ──


def place(server, path: str = "/whip", sdp: str | None = None, kind: str | None = SDP):
    return http(server.url + path, "POST", offer() if sdp is None else sdp, kind)


def patch(server, location: str, body: str, tag: str | None, kind: str = FRAGMENT):
    return http(server.url + location, "PATCH", body, kind, more={"If-Match": tag} if tag else None)


def code(answer) -> tuple[int, str]:
    return answer[0], json.loads(answer[2])["error"]["code"]


def test_an_offer_is_answered_changed_and_ended_as_the_rfc_says(server):
    status, headers, answer = place(server)
    assert status == 201 and headers["content-type"] == SDP and "m=video" in answer
    location, tag = headers["location"], headers["etag"]
    assert location.startswith("/whip/rtc_") and tag.startswith('"') and tag.strip('"') in answer

    assert patch(server, location, CANDIDATE, tag)[0] == 204
    assert patch(server, location, "a=end-of-candidates\r\n", "*")[0] == 204
    assert code(patch(server, location, CANDIDATE, None)) == (428, "precondition_required")
    assert code(patch(server, location, CANDIDATE, '"another"')) == (412, "ice_session_changed")
    assert code(patch(server, location, CANDIDATE, tag, SDP)) == (415, "unsupported_content_type")
    assert code(patch(server, location, "hello", tag)) == (400, "invalid_sdp")
    assert code(patch(server, location, CANDIDATE * 100, tag)) == (413, "sdp_too_large")
    assert code(patch(server, "/whip/rtc_nobody", CANDIDATE, tag)) == (404, "call_not_found")
    fresh = "a=ice-ufrag:newname\r\na=ice-pwd:abcdefghijklmnopqrstuvwxyz\r\n"
    assert code(patch(server, location, fresh, tag)) == (422, "ice_session_mismatch")

    assert http(server.url + location, "DELETE")[0] == 200
    assert http(server.url + location, "DELETE")[0] == 404
    assert code(patch(server, location, CANDIDATE, tag)) == (404, "call_not_found")


def test_an_ice_restart_gives_new_credentials_and_a_new_tag(server):
    _, headers, _ = place(server)
    location, tag = headers["location"], headers["etag"]
    try:
        fresh = "a=ice-ufrag:newname\r\na=ice-pwd:abcdefghijklmnopqrstuvwxyz\r\n"
        status, headers, fragment = patch(server, location, fresh, "*")
        assert status == 200 and headers["content-type"] == FRAGMENT, fragment
        assert headers["etag"] != tag and f"a=ice-ufrag:{headers['etag'].strip(chr(34))}\r\n" in fragment
        assert "a=ice-pwd:" in fragment and "a=candidate:" in fragment and "a=end-of-candidates" in fragment
        assert code(patch(server, location, CANDIDATE, tag)) == (412, "ice_session_changed")
        assert patch(server, location, fresh + CANDIDATE, headers["etag"])[0] == 204
    finally:
        http(server.url + location, "DELETE")


@pytest.mark.parametrize(
    ("sdp", "kind", "status"),
    [("hello", SDP, 400), (offer(video="H265/90000"), SDP, 422), ("v=0\r\n" + "a=x\r\n" * 3000, SDP, 413), (offer(), "text/plain", 415), (offer(), None, 415)],
)
def test_an_offer_that_cannot_be_taken_is_refused_by_its_kind(server, sdp, kind, status):
    assert place(server, sdp=sdp, kind=kind)[0] == status
    assert code(place(server, "/whip/rtc_mine")) == (400, "invalid_call_name")


def test_options_say_what_may_be_sent_and_pages_of_others_may_send_it(server):
    status, headers, _ = http(server.url + "/whip", "OPTIONS")
    assert status in (200, 204) and headers["accept-post"] == SDP
    assert headers["access-control-allow-origin"] == "*" and "PATCH" in headers["access-control-allow-methods"]
    assert http(server.url + "/whip/some", "OPTIONS")[1]["accept-patch"] == FRAGMENT
    assert http(server.url + "/whip")[0] == 405


def test_a_full_server_says_503_and_when_to_come_back(start_server):
    server = start_server("whip-full", "server.max_sessions=1")
    server.wait()
    _, headers, _ = place(server)
    status, refused, _ = place(server)
    assert status == 503 and int(refused["retry-after"]) > 0
    assert http(server.url + headers["location"], "DELETE")[0] == 200
    assert server.stop() == 0
