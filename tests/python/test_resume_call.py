# SPDX-License-Identifier: MIT OR Apache-2.0
"""A call that breaks and is placed anew: the same session, with new sound and pictures."""
from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("aiortc", reason="aiortc is missing: pip install -r tests/python/requirements.txt")

from calls import Call, Voice, camera  # noqa: E402
from harness import Talk, go, http, text  # noqa: E402


def test_a_call_that_breaks_goes_on_with_new_pictures(server):
    async def work():
        async with Call.place(server, camera(), Voice(), query="ext=resume,scene,memory") as call:
            created = await call.until("session.created")
            pass_ = await call.until("session.resumable")
            memory = next(e for e in call.seen if e["type"] == "memory.timeline")
            await call.until("scene.facts")
            answer = await call.ask("The code word is swordfish.")
            assert answer
            last = max(e.get("server_event_seq", 0) for e in call.seen)
            assert not any("server_event_seq" in e for e in call.seen if e["type"] in ("scene.facts", "audio.level"))
            old, call.location = call.location, ""  # it breaks, nobody hangs up
        while not server.metric("sightline_sessions_away"):
            await asyncio.sleep(0.1)
        query = f"ext=resume,scene,memory&resume={pass_['resume_token']}&last_seq={last}"
        async with Call.place(server, camera(), Voice(), query=query) as call:
            resumed = await call.until("session.resumed")
            assert resumed["session"]["id"] == created["session"]["id"]
            assert not any(e["type"] in ("session.created", "session.resync_required") for e in call.seen)
            numbers = [e["server_event_seq"] for e in call.seen if "server_event_seq" in e]
            assert numbers == sorted(set(numbers)) and all(n > last for n in numbers), (last, numbers)
            # The call before is no more, and hanging it up ends nothing.
            assert (await asyncio.to_thread(http, server.url + old, "DELETE"))[0] == 404
            await call.until("scene.facts")
            answer = await call.ask("What did I tell you about the code word?")
            assert "swordfish" in answer, answer
            call.send("memory.timeline.get")
            again = await call.until("memory.timeline")
            assert again["memory_id"] == memory["memory_id"] and again["now_ms"] >= memory["now_ms"]
            # While it lives it is taken over by a socket, and back.
            token = resumed["resume_token"]
        assert token

    go(work())
    server.wait_for_sessions(0, 20)


def test_who_looks_on_is_told_that_the_session_is_over(start_server):
    server = start_server("resume-watched", "server.resume_grace_ms=2000")
    server.wait()

    async def work():
        async with Call.place(server, Voice(), query="ext=resume") as call:
            await call.until("session.resumable")
            call_id = call.location.rsplit("/", 1)[1]
            async with Talk.open(server, f"call_id={call_id}&ext=resume") as beside:
                await call.peer.close()
                call.location = ""
                assert (await beside.until("session.expired"))["reason"] == "nobody_came_back"
                assert not [e for e in beside.seen if "resume_token" in e or "server_event_seq" in e], "it is not its session"

    go(work())
    assert server.stop() == 0


def test_a_call_that_comes_back_has_the_names_that_it_asks_for(server):
    async def work():
        async with Call.place(server, Voice(), query="ext=resume") as call:
            token = (await call.until("session.resumable"))["resume_token"]
            call.location = ""
        while not server.metric("sightline_sessions_away"):
            await asyncio.sleep(0.1)
        query = f"ext=resume&resume={token}&last_seq=0"
        async with Call.place(server, Voice(), query=query, headers={"OpenAI-Beta": "realtime=v1"}) as call:
            await call.until("session.resumed")
            call.send("conversation.item.create", item={"type": "message", "role": "user", "content": [text("Hello.")]})
            await call.until("conversation.item.created")

    go(work())
    server.wait_for_sessions(0, 20)
