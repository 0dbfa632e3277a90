# SPDX-License-Identifier: MIT OR Apache-2.0
"""A session that outlives its connection: cut off, taken over, refused, lost with its server, and come back to."""
from __future__ import annotations

import asyncio
import json
import signal
import time

import pytest
import websockets

from harness import LONG, PATIENCE_S, Talk, go, holds, http, run_cli

EXT = "model=sightline&ext=resume"


class Line:
    """A client as ours are: it knows its token and the number of its newest event, and takes nothing twice."""

    def __init__(self, ws: str, query: str = EXT) -> None:
        self.ws, self.query = ws, query
        self.token, self.last = "", 0
        self.events: list[dict] = []
        self.talk: Talk | None = None

    async def connect(self, token: str | None = None, last: int | None = None) -> None:
        query = self.query
        if token := token or self.token:
            query += f"&resume={token}&last_seq={self.last if last is None else last}"
        self.talk = Talk(await websockets.connect(f"{self.ws}?{query}", max_size=None))

    async def next(self, seconds: float = PATIENCE_S) -> dict:
        event = await self.talk.next(seconds)
        self.token = event.get("resume_token", self.token)
        if (seq := event.get("server_event_seq")) is not None:
            assert seq > self.last, f"{event['type']} {seq} after {self.last}: twice, or out of order"
            self.last = seq
        self.events.append(event)
        return event

    async def until(self, kind: str, seconds: float = PATIENCE_S) -> dict:
        while (event := await self.next(seconds))["type"] != kind:
            pass
        return event

    def cut(self) -> None:
        """The network is gone: no goodbye."""
        self.talk.socket.transport.abort()

    async def leave(self) -> None:
        await self.talk.socket.close()

    async def ask(self, words: str) -> None:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]}
        await self.talk.send("conversation.item.create", item=item)
        await self.talk.send("response.create")

    async def answer(self, words: str) -> dict:
        await self.ask(words)
        return (await self.until("response.done"))["response"]

    async def items(self, ids: list[str]) -> list[dict]:
        """What a client asks for anew that lost events."""
        found = []
        for each in ids:
            await self.talk.send("conversation.item.retrieve", item_id=each)
            found.append((await self.until("conversation.item.retrieved"))["item"])
        return found

    def words(self, response_id: str) -> str:
        return "".join(e["delta"] for e in self.events if e["type"] == "response.output_text.delta" and e["response_id"] == response_id)


def said(response: dict) -> str:
    return "".join(p["text"] for item in response["output"] for p in item["content"])


async def refused(ws: str, query: str) -> dict:
    """What a connection is refused with."""
    with pytest.raises(websockets.exceptions.InvalidStatus) as refusal:
        await websockets.connect(f"{ws}?{query}")
    response = refusal.value.response
    error = json.loads(response.body)["error"]
    assert response.status_code == 404 and error["code"] == "session_not_found", (response.status_code, error)
    return error


def test_an_answer_that_is_cut_off_twice_comes_whole_each_word_once(server):
    async def work():
        line = Line(server.ws)
        await line.connect()
        created = await line.next()
        assert created["type"] == "session.created" and created["server_event_seq"] == 1
        assert created["session"]["extensions"] == ["resume"]
        pass_ = await line.next()
        assert pass_["type"] == "session.resumable" and pass_["kept_in"] == "process" and pass_["grace_ms"] == 30_000, pass_
        assert "server_event_seq" not in pass_
        await line.ask(LONG)
        response = (await line.until("response.created"))["response"]["id"]
        generation = 1
        for until in (None, "response.output_text.delta"):
            if until:
                await line.until(until)
            line.cut()
            await asyncio.sleep(0.2)  # the answer goes on meanwhile
            before = line.token
            await line.connect()
            resumed = await line.next()
            assert resumed["type"] == "session.resumed", resumed
            assert resumed["session"]["id"] == created["session"]["id"]
            assert resumed["attachment_generation"] == (generation := generation + 1)
            assert line.token != before
        done = (await line.until("response.done"))["response"]
        assert done["id"] == response and done["status"] in ("completed", "incomplete")
        assert line.words(response) == said(done), "every word once, in order"
        numbers = [e["server_event_seq"] for e in line.events if "server_event_seq" in e]
        assert numbers == sorted(set(numbers))
        assert not any(e["type"] in ("error", "session.resync_required") for e in line.events)
        # The conversation is what it was.
        items = [e["item"]["id"] for e in line.events if e["type"] == "conversation.item.added"]
        assert [i["role"] for i in await line.items(items)] == ["user", "assistant"]
        await line.leave()

    go(work())


def test_a_goodbye_ends_the_session_and_nobody_comes_back(server):
    async def work():
        line, sessions = Line(server.ws), server.sessions()
        await line.connect()
        await line.until("session.resumable")
        await line.leave()
        await asyncio.to_thread(server.wait_for_sessions, sessions, 10)
        await refused(server.ws, f"resume={line.token}")
        # Who never asked is not waited for either.
        async with Talk.open(server) as talk:
            assert "server_event_seq" not in talk.seen[0]
            talk.socket.transport.abort()
        await asyncio.to_thread(server.wait_for_sessions, sessions, 10)

    go(work())


def test_a_session_that_is_taken_over_says_so_to_the_one_before(server):
    async def work():
        line = Line(server.ws)
        await line.connect()
        await line.until("session.resumable")
        first, old = line.talk, line.token
        await line.connect()
        await line.until("session.resumed")
        while (last := await first.next())["type"] != "session.replaced":
            pass
        with pytest.raises(websockets.exceptions.ConnectionClosed):
            await first.next()
        # What is still said there is nobody's, and the token is worth nothing any more.
        await refused(server.ws, f"resume={old}&last_seq=1")
        assert last["type"] == "session.replaced"
        assert (await line.answer("Say yes."))["status"] in ("completed", "incomplete")
        await line.leave()

    go(work())


def test_only_the_newest_token_opens_a_session(server):
    async def work():
        line, other = Line(server.ws), Line(server.ws)
        for each in (line, other):
            await each.connect()
            await each.until("session.resumable")
        first = line.token
        line.cut()
        await line.connect()
        await line.until("session.resumed")
        await line.talk.send("session.event_ack", server_event_seq=line.last)
        await line.answer("Say yes.")
        name = first.removeprefix("resume_").split(".")[0]
        secret = other.token.split(".")[1]
        wrong = [first, "", "x", "resume_", "resume_mem_x.00", f"resume_{name}.{secret}", first[:-2] + "00", first.removeprefix("resume_"), "resume_" + "a" * 4000]
        for token in wrong:
            await refused(server.ws, f"ext=resume&resume={token}&last_seq=0")
            answer = await asyncio.to_thread(http, f"{server.url}/v1/realtime/calls?resume={token}", "POST", "v=0\r\n", "application/sdp")
            assert answer[0] == 404 and json.loads(answer[2])["error"]["code"] == "session_not_found", answer
        # Neither session noticed.
        for each in (line, other):
            assert (await each.answer("Say yes."))["status"] in ("completed", "incomplete")
            await each.leave()

    go(work())


def test_who_missed_more_than_is_kept_is_told_what_there_is(server):
    async def work():
        line = Line(server.ws)
        await line.connect()
        await line.until("session.resumable")
        await line.answer("Say yes.")
        kept = [e["item"]["id"] for e in line.events if e["type"] == "conversation.item.added"]
        for _ in range(24):
            await line.items([kept[0]] * 50)
        newest = line.last
        assert newest > 1200
        line.cut()
        line.last = 5
        await line.connect(last=5)
        resumed, resync = await line.next(), await line.next()
        assert resumed["type"] == "session.resumed" and resumed["replayed"] == 1024
        assert resync["type"] == "session.resync_required" and resync["reason"] == "journal_gap", resync
        assert resync["missed"] == newest - 1024 - 5
        assert resync["item_ids"] == kept and resync["response_ids"] == []
        while line.last < newest:
            await line.next()
        # What was acknowledged is not kept; what never was cannot be acknowledged.
        await line.talk.send("session.event_ack", server_event_seq=newest)
        await line.talk.send("session.event_ack", server_event_seq=newest + 7, event_id="ahead")
        error = (await line.until("error"))["error"]
        assert error["event_id"] == "ahead" and error["param"] == "server_event_seq"
        newest = line.last
        line.cut()
        await line.connect(last=newest + 100)
        await line.until("session.resumed")
        assert (await line.next())["missed"] is None, "numbers of another session"
        await line.leave()

    go(work())


def test_resume_can_be_asked_for_later_and_given_up(server):
    async def work():
        line, sessions = Line(server.ws, "model=sightline"), server.sessions()
        await line.connect()
        await line.until("session.created")
        await line.talk.send("session.update", session={"type": "realtime", "extensions": ["resume"]})
        assert (await line.until("session.updated"))["session"]["extensions"] == ["resume"]
        await line.until("session.resumable")
        line.cut()
        await line.connect()
        await line.until("session.resumed")
        await line.talk.send("session.update", session={"type": "realtime", "extensions": []})
        await line.until("session.updated")
        line.cut()
        await asyncio.to_thread(server.wait_for_sessions, sessions, 15)
        await refused(server.ws, f"resume={line.token}")

    go(work())


def test_a_session_waits_for_its_time_and_makes_room_for_others(start_server):
    server = start_server("resume-grace", "server.resume_grace_ms=3000", "server.max_sessions=1")
    server.wait()

    async def work():
        line = Line(server.ws)
        await line.connect()
        assert (await line.until("session.resumable"))["grace_ms"] == 3000
        line.cut()
        await asyncio.to_thread(server.wait_for_sessions, 0, 20)
        assert server.metric("sightline_resume_total", "nobody_came_back") == 1
        await refused(server.ws, f"resume={line.token}")
        # Away, it makes room at once; connected, it does not.
        line = Line(server.ws)
        await line.connect()
        await line.until("session.resumable")
        with pytest.raises(websockets.exceptions.InvalidStatus) as full:
            await websockets.connect(f"{server.ws}?{EXT}")
        assert full.value.response.status_code == 429 and full.value.response.headers["Retry-After"]
        line.cut()
        await server.wait_until_away()
        assert (await asyncio.to_thread(http, server.url + "/readyz"))[0] == 200
        newcomer = Line(server.ws)
        await newcomer.connect()
        await newcomer.until("session.resumable")
        assert server.metric("sightline_resume_total", "room_needed") == 1
        await refused(server.ws, f"resume={line.token}")
        await newcomer.leave()

    go(work())
    assert server.stop() == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "terminate"])
def test_a_session_comes_back_after_its_server_was_restarted(start_server, tmp_path, how):
    folder, key = tmp_path / "archive", tmp_path / "key"
    key.write_text("a passphrase of some length")
    settings = (f"archive.dir={folder}", f"archive.key_file={key}")
    server = start_server(f"resume-{how.name}", *settings)
    server.wait()
    line = Line(server.ws, EXT + ",memory")

    async def before() -> tuple[dict, dict, bool]:
        await line.connect()
        created = await line.until("session.created")
        assert (await line.until("session.resumable"))["kept_in"] == "archive"
        memory = next(e for e in line.events if e["type"] == "memory.timeline")
        await line.talk.send("session.update", session={"type": "realtime", "instructions": "Be brief."})
        await line.answer("The code word is swordfish.")
        await asyncio.sleep(2)  # by then it is on disk
        began = time.monotonic()
        await line.ask(LONG)
        await line.until("response.output_text.delta")
        server.process.send_signal(how)
        # A machine that begins to answer sooner may not have written the question down yet.
        written = time.monotonic() - began > 2
        with pytest.raises(websockets.exceptions.ConnectionClosed):
            while True:
                await line.next()
        closed = line.talk.socket.close_code
        assert closed == (1006 if how == signal.SIGKILL else 1012), closed
        await asyncio.to_thread(server.process.wait, 20)
        return created, memory, written and line.events[-1]["type"] != "response.done"

    created, memory, cut_off = go(before())
    assert not holds(folder, "swordfish"), "it is encrypted"
    server = start_server(f"resume-{how.name}-again", *settings)
    server.wait()
    line.ws = server.ws

    async def after() -> None:
        began = time.monotonic()
        old = line.token
        await line.connect()
        resumed = await line.until("session.resumed")
        assert time.monotonic() - began < 10
        assert resumed["session"]["id"] == created["session"]["id"] and resumed["session"]["instructions"] == "Be brief."
        if how == signal.SIGTERM and not cut_off:
            # It had the time to end the answer, and its client has all of it.
            ids = [e["item"]["id"] for e in line.events if e["type"] == "conversation.item.added"]
        else:
            resync = await line.until("session.resync_required")
            assert resync["reason"] == "restarted" and resync["response_ids"] == [], resync
            ids = resync["item_ids"]
        if cut_off:
            over = (await line.until("response.done"))["response"]
            assert over["status"] == "failed" and "restarted" in over["status_details"]["error"]["message"], over
        items = await line.items(ids)
        texts = ["".join(p.get("text", "") for p in item["content"]) for item in items]
        assert "The code word is swordfish." in texts and (LONG in texts or not cut_off), texts
        await line.talk.send("memory.timeline.get")
        again = await line.until("memory.timeline")
        assert (again["memory_id"], again["access_token"]) == (memory["memory_id"], memory["access_token"])
        assert "swordfish" in said(await line.answer("What did I tell you about the code word?"))
        await refused(server.ws, f"resume={old}")
        # It survives the next one, too, and an end is an end.
        line.cut()
        await line.connect()
        await line.until("session.resumed")
        sessions = server.sessions()
        await line.leave()
        await asyncio.to_thread(server.wait_for_sessions, sessions - 1, 10)
        await refused(server.ws, f"resume={line.token}")

    go(after())
    assert server.stop() == 0


def test_what_is_forgotten_does_not_come_back_with_the_session(start_server, tmp_path):
    folder = tmp_path / "archive"
    settings = (f"archive.dir={folder}", "server.max_sessions=1")
    server = start_server("resume-forget", *settings)
    server.wait()
    line = Line(server.ws, EXT + ",memory")

    async def talk() -> dict:
        await line.connect()
        await line.until("session.resumable")
        memory = next(e for e in line.events if e["type"] == "memory.timeline")
        await line.answer("The code word is swordfish.")
        while not holds(folder, "swordfish"):
            await asyncio.sleep(0.1)
        await asyncio.sleep(2)
        line.cut()
        await server.wait_until_away()
        # Another takes its place: it is in the archive alone.
        other = Line(server.ws)
        await other.connect()
        await other.until("session.resumable")
        await other.leave()
        return memory

    memory = go(talk())
    server.wait_for_sessions(0, 10)
    address = f"{server.url}/v1/sessions/{memory['memory_id']}/memory?access_token={memory['access_token']}"
    assert holds(folder, "swordfish")
    assert http(address + "&start_ms=0&end_ms=3600000", "DELETE")[0] == 200
    assert not holds(folder, "swordfish"), "neither memory nor session tells it"

    async def back() -> None:
        await line.connect()
        resumed = await line.until("session.resumed")
        assert resumed["kept_in"] == "archive"
        resync = await line.until("session.resync_required")
        assert resync["item_ids"] == [], resync
        await line.answer("The pet's name is Herring.")
        while not holds(folder, "Herring"):
            await asyncio.sleep(0.1)
        await line.talk.send("memory.forget", all=True)
        await line.until("memory.forgotten")
        while holds(folder, "Herring"):
            await asyncio.sleep(0.1)
        await line.leave()

    go(back())
    assert server.stop() == 0
    assert run_cli("memory", "inspect", "--set", f"archive.dir={folder}").returncode == 0
