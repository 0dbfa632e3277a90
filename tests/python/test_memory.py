# SPDX-License-Identifier: MIT OR Apache-2.0
"""A memory from outside: its pictures, its owner, a server killed in the middle, and what was forgotten."""
from __future__ import annotations

import asyncio
import json
import signal
import urllib.request

import pytest

pytest.importorskip("aiortc", reason="aiortc is missing: pip install -r tests/python/requirements.txt")

from calls import Call, Voice, camera  # noqa: E402
from harness import Talk, go, holds, http, run_cli  # noqa: E402

MARKER = "swordfish"


def address(server, memory: dict, rest: str, token: str | None = None) -> str:
    return f"{server.url}/v1/sessions/{memory['memory_id']}/{rest}access_token={token or memory['access_token']}"


async def remembered(call: Call, pictures: int = 1) -> dict:
    """The first event of the timeline that has pictures."""
    while True:
        updated = await call.until("memory.updated")
        for event in updated["changed"]:
            if len(event["keyframes"]) >= pictures:
                return event


def refused(answer: tuple, status: int, code: str) -> None:
    assert answer[0] == status and json.loads(answer[2])["error"]["code"] == code, answer


def test_a_memory_is_its_owners_survives_a_kill_and_can_be_forgotten(start_server, tmp_path):
    folder = tmp_path / "archive"
    settings = (f"archive.dir={folder}",)
    server = start_server("memory", *settings)
    server.wait()

    async def live() -> dict:
        async with Call.place(server, camera(), Voice(), query="ext=memory") as call:
            memory = await call.until("memory.timeline")
            assert memory["tiers"]["episodic"]["capacity"] == 512
            event = await remembered(call)
            picture = event["keyframes"][0]["id"]
            await asyncio.to_thread(owner_only, memory, picture)
            await call.ask(f"The code word is {MARKER}.")
            answer = await call.ask("What did I tell you about the code word?")
            assert MARKER in answer, answer
            told = [e for e in call.seen if e["type"] == "response.memory"][-1]
            assert told["route"] == "past" and told["seen"] and told["citations"], told
            # Within two seconds it is on disk; then the process is shot.
            while not holds(folder, MARKER):
                await asyncio.sleep(0.1)
            await asyncio.sleep(2)
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
            call.location = ""  # nobody is there to hang up with
        return memory

    def owner_only(memory: dict, picture: str) -> None:
        good = address(server, memory, f"keyframes/{picture}?")
        with urllib.request.urlopen(good, timeout=30) as answer:
            assert answer.headers["Content-Type"] == "image/jpeg" and answer.read(2) == b"\xff\xd8"
        other = memory["access_token"][:-4] + "0000"
        refused(http(address(server, memory, f"keyframes/{picture}?", other)), 404, "memory_not_found")
        refused(http(good.split("?")[0]), 404, "memory_not_found")
        refused(http(address(server, memory, "keyframes/kf_999999?")), 404, "keyframe_not_found")
        refused(http(address(server, {**memory, "memory_id": "mem_" + "a" * 26}, f"keyframes/{picture}?")), 404, "memory_not_found")
        refused(http(address(server, memory, "memory?last_ms=5&all=true&"), method="DELETE"), 400, "invalid_interval")
        timeline = json.loads(http(address(server, memory, "memory?"))[2])
        assert timeline["memory_id"] == memory["memory_id"] and timeline["events"]

    memory = go(live())

    server = start_server("memory-again", *settings)
    server.wait()
    busy = run_cli("memory", "inspect", "--set", f"archive.dir={folder}")
    assert busy.returncode == 2 and "in use by another process" in busy.stderr, busy

    async def again() -> None:
        query = f"model=sightline&ext=memory&memory={memory['access_token']}"
        async with Talk.open(server, query) as talk:
            timeline = await talk.until("memory.timeline")
            assert timeline["memory_id"] == memory["memory_id"] and timeline["events"], timeline
            assert timeline["now_ms"] >= memory["now_ms"]
            answer = await talk.ask("What did I tell you about the code word?")
            assert MARKER in answer, answer
            with pytest.raises(Exception, match="400"):
                async with Talk.open(server, query):
                    pass
            answer = await talk.ask("Forget everything.")
            assert "forgotten everything" in answer, answer
            assert not any(e["type"] == "error" for e in talk.seen)
            answer = await talk.ask("What did I tell you about the code word?")
            assert MARKER not in answer, answer
            while found := holds(folder, MARKER):
                await asyncio.sleep(0.2)
            assert not found

    go(again())
    gone = memory["access_token"][:-4] + "0000"
    refused(http(address(server, memory, "memory?", gone)), 404, "memory_not_found")


def test_an_archive_that_cannot_be_used_is_named_and_what_to_do(start_server, tmp_path):
    folder, key, other = tmp_path / "archive", tmp_path / "key", tmp_path / "other"
    key.write_text("a passphrase of some length")
    other.write_text("another passphrase of some length")
    where = ("--set", f"archive.dir={folder}")
    made = run_cli("memory", "inspect", *where, "--set", f"archive.key_file={key}")
    assert made.returncode == 0 and "empty" in made.stdout, made
    wrong = run_cli("memory", "inspect", *where, "--set", f"archive.key_file={other}")
    assert wrong.returncode == 2 and "archive.key_file" in wrong.stderr, wrong
    without = run_cli("memory", "inspect", *where)
    assert without.returncode == 2 and "encrypted" in without.stderr, without
    none = run_cli("memory", "inspect")
    assert none.returncode == 2 and "archive.dir" in none.stderr, none
    name = run_cli("memory", "forget", "mem_x", "--all", *where, "--set", f"archive.key_file={key}")
    assert name.returncode == 2 and "name of a memory" in name.stderr, name


def test_a_disk_that_takes_no_writes_costs_the_archive_and_not_the_conversation(start_server, tmp_path):
    folder = tmp_path / "archive"
    server = start_server("memory-full", f"archive.dir={folder}", "archive.quota_mb=16")
    server.wait()

    async def work() -> None:
        async with Call.place(server, camera(), Voice(), query="ext=memory") as call:
            await remembered(call)
            # What a broken disk looks like from here: the folder for records is gone and cannot be made again.
            memories = folder / "memories"
            memories.rename(folder / "elsewhere")
            memories.write_text("in the way")
            await call.ask("The code word is herring.")
            while not server.metric("sightline_archive_errors_total"):
                await asyncio.sleep(0.2)
            assert "herring" in await call.ask("What did I tell you about the code word?")
            memories.unlink()
            (folder / "elsewhere").rename(memories)
            while not holds(folder, "herring"):
                await asyncio.sleep(0.2)

    go(work())
    assert server.stop() == 0
