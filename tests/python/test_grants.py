# SPDX-License-Identifier: MIT OR Apache-2.0
"""Who may come in, how many, for how long, and what they may do: refused before anything is made for them."""

import asyncio
import json
import time

import pytest
import websockets
import websockets.exceptions

from harness import PATIENCE_S, Server, Talk, go, http, text
from test_bad_input import offer

PLAIN, KIOSK, ROBOT, SHORT, OTHER = (f"a-key-that-is-long-enough-{n}" for n in "pkrso")
SHOP = "https://shop.example"
KEYS = f"""
[[key]]
name = "kiosk"
key = "{KIOSK}"
allow = {{ max_sessions = 2, origins = ["{SHOP}"] }}

[[key]]
name = "robot"
key = "{ROBOT}"
allow = {{ client_events = ["response.create", "conversation.item.create", "session.update"] }}

[[key]]
name = "short"
key = "{SHORT}"
allow = {{ max_session_s = 3 }}

[[key]]
name = "other"
key = "{OTHER}"
allow = {{ models = ["some-other-model"] }}
"""
CAPACITY = 4


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    keys = tmp_path_factory.mktemp("keys") / "keys.toml"
    keys.write_text(KEYS)
    server = Server("grants", f'server.api_keys=["{PLAIN}"]', f"server.keys_file={keys}", f"server.max_sessions={CAPACITY}")
    server.wait()
    yield server
    assert server.stop() == 0


def with_key(key: str, **more: str) -> dict:
    return {"additional_headers": {"Authorization": f"Bearer {key}", **more}}


async def refusal(server, **options) -> tuple[int, dict, dict]:
    """Status, headers and error of an upgrade that must be refused."""
    with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
        await websockets.connect(server.ws + "?model=sightline", **options)
    response = refused.value.response
    return response.status_code, dict(response.headers.raw_items()), json.loads(response.body)["error"]


async def secret(server, key: str, **body) -> str:
    reply = await asyncio.to_thread(post, server, "/v1/realtime/client_secrets", body, {"Authorization": f"Bearer {key}"})
    assert reply[0] == 200, reply
    return reply[1]["value"]


def post(server, path: str, body, headers: dict) -> tuple[int, dict]:
    status, _, whole = http(server.url + path, "POST", json.dumps(body), "application/json", more=headers)
    return status, json.loads(whole) if whole else {}


def test_every_wrong_way_in_has_its_own_answer_and_none_tells_whether_it_was_near(guarded):
    """T26: what is shown, from where, and the status and code that it gets."""

    async def work():
        token = await secret(guarded, KIOSK)
        brief = await secret(guarded, PLAIN, expires_after={"anchor": "created_at", "seconds": 10})
        made = time.monotonic()
        unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."
        for key, more, status, code in [
            (None, {}, 401, "invalid_api_key"),
            ("", {}, 401, "invalid_api_key"),
            (PLAIN[:-1], {}, 401, "invalid_api_key"),
            (PLAIN + "x", {}, 401, "invalid_api_key"),
            (PLAIN.upper(), {}, 401, "invalid_api_key"),
            (unsigned, {}, 401, "invalid_api_key"),
            ("ek_" + unsigned, {}, 401, "invalid_api_key"),
            ("ek_" + token[4:] + "x", {}, 401, "invalid_api_key"),
            (token[:-1], {}, 401, "invalid_api_key"),
            (KIOSK, {"Origin": "https://evil.example"}, 403, "origin_not_allowed"),
            (KIOSK, {"Origin": "null"}, 403, "origin_not_allowed"),
            (KIOSK, {"Origin": SHOP + ".evil.example"}, 403, "origin_not_allowed"),
            (token, {"Origin": "https://evil.example"}, 403, "origin_not_allowed"),
            (OTHER, {}, 403, "model_not_allowed"),
        ]:
            headers = {} if key is None else {"Authorization": f"Bearer {key}"}
            got = await refusal(guarded, additional_headers={**headers, **more})
            assert (got[0], got[2]["code"]) == (status, code), (key, more, got)
            assert len(got[2]["message"]) > 20 and not any(k in got[2]["message"] for k in (PLAIN, KIOSK, token)), got
        async with Talk.open(guarded, **with_key(token, Origin=SHOP)):
            pass
        async with Talk.open(guarded, **with_key(brief)) as talk:
            await asyncio.sleep(max(0.0, made + 11 - time.monotonic()))
            assert (await refusal(guarded, **with_key(brief)))[0] == 401, "it has expired"
            await talk.send("session.update", session={"type": "realtime"})
            await talk.until("session.updated")  # the session that it opened outlives it

    go(work())


def test_no_key_and_no_token_stands_in_the_log(guarded):
    log = guarded.log()
    assert not any(key in log for key in (PLAIN, KIOSK, ROBOT, SHORT, OTHER, "ek_")), "a secret was logged"


def test_a_key_has_so_many_sessions_and_the_others_theirs(guarded):
    async def work():
        one = {"grants": {"max_sessions": 1}}
        first, second = await secret(guarded, KIOSK, **one), await secret(guarded, KIOSK, **one)
        async with Talk.open(guarded, **with_key(first, Origin=SHOP)):
            status, headers, error = await refusal(guarded, **with_key(first, Origin=SHOP))
            assert (status, error["code"], error["type"]) == (429, "session_capacity", "rate_limit_error"), error
            assert int(headers["retry-after"]) > 0 and first not in error["message"], error
            async with Talk.open(guarded, **with_key(second, Origin=SHOP)):
                status, _, error = await refusal(guarded, **with_key(KIOSK, Origin=SHOP))
                assert status == 429 and "kiosk" in error["message"] and "2" in error["message"], error
                async with Talk.open(guarded, **with_key(PLAIN)):
                    pass
        guarded.wait_for_sessions(0, seconds=20)
        async with Talk.open(guarded, **with_key(KIOSK, Origin=SHOP)):
            pass  # what was taken came back

    go(work())


def test_a_key_that_allows_some_events_refuses_the_others_by_name(guarded):
    async def work():
        async with Talk.open(guarded, **with_key(ROBOT)) as talk:
            await talk.send("input_audio_buffer.append", audio="AAAA", event_id="e1")
            error = await talk.error()
            assert (error["code"], error["event_id"]) == ("event_not_allowed", "e1") and "input_audio_buffer.append" in error["message"]
            await talk.say(text("Say yes."))
        fewer = await secret(guarded, ROBOT, grants={"client_events": ["session.update", "memory.forget"]})
        async with Talk.open(guarded, **with_key(fewer)) as talk:
            for kind in ("response.create", "memory.forget"):
                await talk.send(kind, **({"all": True} if kind == "memory.forget" else {}))
                assert (await talk.error())["code"] == "event_not_allowed", kind

    go(work())


def test_a_session_ends_when_its_key_says_so_and_tells_before(guarded):
    async def work():
        before = int(time.time())
        async with Talk.open(guarded, "model=sightline&ext=resume", **with_key(SHORT)) as talk:
            expires = talk.seen[0]["session"]["expires_at"]
            assert before + 2 <= expires <= int(time.time()) + 4, expires
            assert (await talk.until("session.expiring"))["seconds_left"] <= 3
            assert (await talk.error())["code"] == "session_expired"
            with pytest.raises(websockets.exceptions.ConnectionClosedOK):
                await talk.next()
        async with Talk.open(guarded, **with_key(PLAIN)) as talk:
            assert talk.seen[0]["session"]["expires_at"] == 0

    go(work())


@pytest.mark.parametrize("grants", [{"max_fsp": 1}, {"max_fps": -1}, {"max_sessions": 0}, {"client_events": ["x"]}, {"origins": ["x"]}, []])
def test_a_grant_that_makes_no_sense_is_refused_by_name(guarded, grants):
    status, body = post(guarded, "/v1/realtime/client_secrets", {"grants": grants}, {"Authorization": f"Bearer {PLAIN}"})
    assert status == 400 and "grants" in body["error"]["message"], body


def test_without_keys_a_foreign_page_or_a_foreign_name_stays_outside(server):
    """Any page in the user's browser can reach loopback; only ours may."""

    async def work():
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}):
            status, _, error = await refusal(server, additional_headers=headers)
            assert (status, error["code"]) == (403, "origin_not_allowed") and "server.allowed_origins" in error["message"], error
        status, body = post(server, "/v1/realtime/client_secrets", {}, {"Host": "evil.example", "Origin": "http://evil.example"})
        assert status == 403 and "evil.example" in body["error"]["message"], body
        async with Talk.open(server, additional_headers={"Origin": f"http://127.0.0.1:{server.port}"}):
            pass

    go(work())


async def resumable(server, key: str):
    """An open socket of a session that can be come back to, and its token."""
    line = await websockets.connect(f"{server.ws}?ext=resume", **with_key(key))
    while "resume_token" not in (event := json.loads(await asyncio.wait_for(line.recv(), PATIENCE_S))):
        pass
    return line, event["resume_token"]


def test_what_was_opened_with_one_key_is_not_reached_with_another(guarded):
    """T26: calls and sessions of somebody else are told in the words of those that are not there."""

    async def work():
        sdp = offer()
        status, call = await asyncio.to_thread(place, guarded, sdp, PLAIN)
        assert status == 201 and call, status
        mine = await secret(guarded, PLAIN)
        for other in (KIOSK, ROBOT, await secret(guarded, ROBOT)):
            with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
                await websockets.connect(f"{guarded.ws}?call_id={call}", **with_key(other))
            assert refused.value.response.status_code == 404
            assert json.loads(refused.value.response.body)["error"]["code"] == "call_not_found"
            assert (await asyncio.to_thread(hang_up, guarded, call, other)) == 404
        async with websockets.connect(f"{guarded.ws}?call_id={call}", **with_key(mine)) as beside:
            assert json.loads(await beside.recv())["type"] == "session.created"
        assert (await asyncio.to_thread(hang_up, guarded, call, mine)) == 200
        line, token = await resumable(guarded, mine)
        for other in (ROBOT, await secret(guarded, ROBOT)):
            with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
                await websockets.connect(f"{guarded.ws}?resume={token}&last_seq=0", **with_key(other))
            assert refused.value.response.status_code == 404
            assert json.loads(refused.value.response.body)["error"]["code"] == "session_not_found"
        again = await websockets.connect(f"{guarded.ws}?resume={token}&last_seq=0", **with_key(PLAIN))
        assert json.loads(await again.recv())["type"] == "session.resumed"
        await again.close()
        await line.close()

    go(work())
    guarded.wait_for_sessions(0, seconds=20)


def test_a_page_that_is_loaded_anew_takes_the_place_that_it_left(guarded):
    """One session for its token, and that one waits for a client that will not come back."""

    async def work():
        token = await secret(guarded, PLAIN, grants={"max_sessions": 1})
        line, _ = await resumable(guarded, token)
        assert (await refusal(guarded, **with_key(token)))[0] == 429
        line.transport.abort()
        await guarded.wait_until_away()
        async with Talk.open(guarded, **with_key(token)):
            pass

    go(work())
    guarded.wait_for_sessions(0, seconds=20)


def test_a_token_that_is_good_once_opens_one_session_and_is_still_good_to_come_back(guarded):
    async def work():
        once = await secret(guarded, PLAIN, grants={"max_uses": 1})
        # What is refused is not a use.
        bearer = {"Authorization": f"Bearer {once}"}
        status, _, _ = await asyncio.to_thread(http, guarded.url + "/v1/realtime/calls", "POST", "v=0", "application/sdp", more=bearer)
        assert status == 400
        line, token = await resumable(guarded, once)
        status, _, error = await refusal(guarded, **with_key(once))
        assert (status, error["code"]) == (403, "client_secret_used")
        line.transport.abort()
        await guarded.wait_until_away()
        again = await websockets.connect(f"{guarded.ws}?resume={token}&last_seq=0", **with_key(once))
        assert json.loads(await again.recv())["type"] == "session.resumed"
        await again.close()
        assert (await refusal(guarded, **with_key(once)))[0] == 403

    go(work())
    guarded.wait_for_sessions(0, seconds=20)


def test_only_a_session_that_is_counted_under_the_same_name_makes_room(guarded):
    async def work():
        mine, another = [await secret(guarded, PLAIN, grants={"max_sessions": 1}) for _ in range(2)]
        line, token = await resumable(guarded, mine)
        line.transport.abort()
        await guarded.wait_until_away()
        async with Talk.open(guarded, **with_key(another)):
            assert (await refusal(guarded, **with_key(another)))[0] == 429
            again = await websockets.connect(f"{guarded.ws}?resume={token}&last_seq=0", **with_key(mine))
            assert json.loads(await again.recv())["type"] == "session.resumed", "its place was no use to the other"
            await again.close()

    go(work())
    guarded.wait_for_sessions(0, seconds=20)


def place(server, sdp: str, key: str) -> tuple[int, str]:
    """Places a call; status and id."""
    status, headers, _ = http(server.url + "/v1/realtime/calls", "POST", sdp, "application/sdp", more={"Authorization": f"Bearer {key}"})
    return status, headers["location"].rsplit("/", 1)[-1]


def hang_up(server, call: str, key: str) -> int:
    return http(f"{server.url}/v1/realtime/calls/{call}", "DELETE", more={"Authorization": f"Bearer {key}"})[0]
