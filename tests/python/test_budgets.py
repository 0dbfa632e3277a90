# SPDX-License-Identifier: MIT OR Apache-2.0
"""Who is let in by what work costs, and where the time of a turn went."""
from __future__ import annotations

import asyncio
import json
import re

import pytest
import websockets

from harness import PATIENCE_S, Talk, go, http, image, run_cli, square_png


def test_a_session_that_would_be_too_much_is_refused_and_told_when_to_come_back(start_server):
    # One percent of the device's time is less than any conversation asks for: only the first, which is always let in, has room.
    settings = ("server.admission=measured", "budget.most_load_percent=1", "budget.calibration_ms=60000")
    server = start_server("admission", *settings)
    server.wait()
    costs = re.search(r"what one unit of work costs here.*", server.log())
    assert costs and all(work in costs.group() for work in ("prefill", "decode", "speech", "embed", "detector")), server.log()

    async def work():
        async with Talk.open(server):
            with pytest.raises(websockets.InvalidStatus) as refused:
                async with Talk.open(server):
                    pass
            response = refused.value.response
            assert response.status_code == 429 and 1 <= int(response.headers["Retry-After"]) <= 60, response
            error = json.loads(response.body)["error"]
            assert (error["type"], error["code"]) == ("rate_limit_error", "session_capacity"), error
            assert response.headers["Retry-After"] in error["message"], error
            assert server.metric("sightline_admission_rejected_total", 'reason="load"') == 1
            # An offer is refused alike, before anything is made for it.
            offer = (f"{server.url}/v1/realtime/calls", "POST", "v=0\r\n", "application/sdp")
            status, headers, _ = await asyncio.to_thread(http, *offer)
            assert status == 429 and int(headers["retry-after"]) > 0
        await asyncio.to_thread(server.wait_for_sessions, 0, PATIENCE_S)
        async with Talk.open(server) as talk:
            assert await talk.ask("Say yes.")

    go(work())


def test_the_time_of_a_turn_is_a_tree_of_spans_for_the_owner_of_the_memory(start_server, tmp_path):
    folder = tmp_path / "traces"
    server = start_server("trace", f"telemetry.trace_dir={folder}")
    server.wait()

    async def work() -> str:
        async with Talk.open(server, "model=sightline&ext=memory,latency") as talk:
            memory = await talk.until("memory.timeline")
            address = f"{server.url}/v1/sessions/{memory['memory_id']}/trace"
            await talk.say(image(square_png()), "What colour is this?")
            response = await talk.answer()
            latency = [e for e in talk.seen if e["type"] == "response.latency"][-1]
            for token in ("", "?access_token=mem_wrong"):
                assert (await asyncio.to_thread(http, address + token))[0] == 404
            status, _, body = await asyncio.to_thread(http, f"{address}?access_token={memory['access_token']}")
            assert status == 200
            check(json.loads(body), response["id"], latency)
            return response["id"]

    response_id = go(work())
    assert server.stop() == 0
    (written,) = folder.iterdir()
    assert written.name.startswith("sess_") and response_id in written.read_text()


def check(trace: dict, response_id: str, latency: dict) -> None:
    """Chrome's trace events: one turn, its stages within it, as long as `response.latency` says."""
    spans = {e["name"]: e for e in trace["traceEvents"] if e["ph"] == "X"}
    assert all(e["args"]["response_id"] == response_id for e in spans.values())
    assert {"turn", "first_token", "prefill", "writing", "sent"} <= set(spans), spans
    end = {name: e["ts"] + e["dur"] for name, e in spans.items()}
    turn = spans["turn"]
    for name in ("first_token", "prefill", "writing"):
        assert turn["ts"] <= spans[name]["ts"] and end[name] <= end["turn"], (name, spans)
    assert end["first_token"] == spans["writing"]["ts"]
    # The words that an answer is made to begin with may be sent before the model's first.
    assert turn["ts"] <= spans["sent"]["ts"] <= end["first_token"]
    assert spans["first_token"]["dur"] // 1000 == latency["first_token_ms"]
    named = {e["tid"] for e in trace["traceEvents"] if e["ph"] == "M" and e["name"] == "thread_name"}
    assert {e["tid"] for e in spans.values()} <= named


def test_typing_has_the_prompt_taken_in_before_the_question_comes(start_server):
    server = start_server("typing")
    server.wait()
    ahead = lambda: server.metric("sightline_engine_step_seconds_count", 'kind="ahead"')  # noqa: E731

    async def work():
        async with Talk.open(server, "model=sightline&ext=latency") as talk:
            await talk.send("session.update", session={"type": "realtime", "instructions": "Answer with one word, and never with a second one."})
            await talk.until("session.updated")
            before = await asyncio.to_thread(ahead)
            await talk.send("input_text.typing")
            async with asyncio.timeout(PATIENCE_S):
                while await asyncio.to_thread(ahead) == before:
                    await asyncio.sleep(0.1)
            assert await talk.ask("Say yes.")
            assert not [e for e in talk.seen if e["type"] == "error"]

    go(work())


@pytest.mark.parametrize(
    "setting, named",
    [
        ("budget.first_token_ms=0", ["budget.first_token_ms", "0", "1"]),
        ("budget.most_load_percent=101", ["budget.most_load_percent", "101", "100"]),
        ("budget.vad_end_ms=100", ["budget.vad_end_ms", "cannot be met"]),
        ("budget.decoding_ms=10", ["budget.decoding_ms", "did you mean", "budget.decode_ms"]),
    ],
)
def test_a_budget_that_cannot_be_is_refused_with_its_name(setting, named):
    done = run_cli("--check-config", "--set", setting)
    assert done.returncode == 2 and all(word in done.stderr for word in named), done.stderr
