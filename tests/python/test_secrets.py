# SPDX-License-Identifier: MIT OR Apache-2.0
"""Short-lived tokens for browsers, made and used by the stock OpenAI client."""

import asyncio
import json

import pytest
import websockets

from harness import PATIENCE_S, Server, Talk, go, http

openai = pytest.importorskip("openai", reason="the openai package is missing: pip install -r tests/python/requirements.txt")
KEY = "a-key-of-at-least-sixteen-letters"


@pytest.fixture(scope="module")
def locked():
    server = Server("secrets", f'server.api_keys=["{KEY}"]')
    server.wait()
    yield server
    assert server.stop() == 0


def client(server, key: str):
    return openai.AsyncOpenAI(api_key=key, base_url=f"{server.url}/v1", websocket_base_url=f"ws{server.url[4:]}/v1", max_retries=0)


def test_a_token_opens_a_session_with_the_settings_it_was_made_with(locked):
    async def work():
        made = await client(locked, KEY).realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 60},
            session={"type": "realtime", "instructions": "Answer in one word."},
        )
        assert made.value.startswith("ek_") and made.session.instructions == "Answer in one word."
        async with client(locked, made.value).realtime.connect(model="sightline") as connection:
            created = await asyncio.wait_for(connection.recv(), PATIENCE_S)
            assert created.type == "session.created" and created.session.instructions == "Answer in one word."
        # As browsers do, which can set no header.
        protocols = ["realtime", f"openai-insecure-api-key.{made.value}"]
        async with Talk.open(locked, subprotocols=protocols) as talk:
            assert talk.seen[0]["session"]["instructions"] == "Answer in one word."
        with pytest.raises(openai.AuthenticationError):
            await client(locked, made.value).realtime.client_secrets.create()

    go(work())


def test_who_has_no_key_and_no_token_stays_outside(locked):
    assert http(locked.url + "/v1/realtime/client_secrets", "POST", "{}", "application/json")[0] == 401

    async def work():
        for key in ("", "ek_" + "x" * 40, "another-key-that-is-long-enough"):
            headers = {"Authorization": f"Bearer {key}"}
            with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
                await websockets.connect(locked.ws + "?model=sightline", additional_headers=headers)
            assert refused.value.response.status_code == 401
            assert json.loads(refused.value.response.body)["error"]["code"] == "invalid_api_key"
        with pytest.raises(openai.BadRequestError, match="expires_after.seconds"):
            await client(locked, KEY).realtime.client_secrets.create(expires_after={"anchor": "created_at", "seconds": 3})
        with pytest.raises(openai.BadRequestError):
            await client(locked, KEY).realtime.client_secrets.create(session={"type": "realtime", "audio": 7})

    go(work())
