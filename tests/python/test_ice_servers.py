# SPDX-License-Identifier: MIT OR Apache-2.0
"""STUN and TURN servers that clients are told of; their credentials are accepted by coturn, and a call through it alone is answered."""
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import shutil
import subprocess
import time

import pytest

from harness import ARTIFACTS, free_port, free_udp_ports, go, http, run_cli
from test_bad_input import offer

KEY, SECRET = "a-key-of-at-least-sixteen-letters", "north-of-the-wall"
SERVERS = ["stun:127.0.0.1:3478", "turn:127.0.0.1:3478?transport=udp"]


@pytest.fixture(scope="module")
def told(start_server, tmp_path_factory):
    file = tmp_path_factory.mktemp("secret") / "turn"
    file.write_text(SECRET + "\n")
    server = start_server("ice", f"ice.servers={','.join(SERVERS)}", f"ice.turn_secret_file={file}", "ice.turn_ttl_s=120")
    server.wait()
    yield server
    assert server.stop() == 0
    assert SECRET not in server.log()


def check(user: str, password: str) -> None:
    """As coturn's `use-auth-secret` does."""
    expires, _, name = user.partition(":")
    assert name and 60 < int(expires) - time.time() <= 121, user
    wanted = hmac.new(SECRET.encode(), user.encode(), hashlib.sha1).digest()
    assert hmac.compare_digest(base64.b64decode(password), wanted)


def test_the_list_has_credentials_that_expire_and_are_each_clients_own(told):
    status, headers, body = http(told.url + "/v1/realtime/ice_servers")
    assert status == 200 and headers["cache-control"] == "no-store"
    stun, turn = json.loads(body)["ice_servers"]
    assert stun == {"urls": SERVERS[:1]} and turn["urls"] == SERVERS[1:]
    check(turn["username"], turn["credential"])
    assert int(turn["username"].split(":")[0]) == json.loads(body)["expires_at"]
    again = json.loads(http(told.url + "/v1/realtime/ice_servers")[2])["ice_servers"][1]
    assert again["username"] != turn["username"]


@pytest.mark.parametrize("path", ["/whip", "/v1/realtime/calls"])
def test_an_answer_has_them_as_links(told, path):
    import urllib.request

    request = urllib.request.Request(told.url + path, method="POST", data=offer().encode(), headers={"Content-Type": "application/sdp"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        links, location = answer.headers.get_all("Link"), answer.headers["Location"]
    assert links[0] == f'<{SERVERS[0]}>; rel="ice-server"'
    found = re.fullmatch(rf'<{re.escape(SERVERS[1])}>; rel="ice-server"; username="(.+)"; credential="(.+)"; credential-type="password"', links[1])
    check(*found.groups())
    assert http(told.url + location, "DELETE")[0] == 200


@pytest.fixture
def coturn():
    """A TURN server on loopback that shares our secret; its port."""
    if not shutil.which("turnserver"):
        pytest.skip("coturn is missing: apt-get install coturn")
    port, relayed = free_port(), free_udp_ports(10)
    command = ["turnserver", "-n", "--no-cli", "--no-tls", "--no-dtls", "--listening-ip", "127.0.0.1", "--listening-port", str(port)]
    command += ["--relay-ip", "127.0.0.1", "--allow-loopback-peers", "--min-port", str(relayed[0]), "--max-port", str(relayed[-1])]
    command += ["--use-auth-secret", "--static-auth-secret", SECRET, "--realm", "sightline.test", "--log-file", "stdout", "--pidfile", str(ARTIFACTS / "turn.pid")]
    with open(ARTIFACTS / "python-coturn.log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    yield port
    process.terminate()
    process.wait(10)


def test_a_call_through_a_relay_alone_is_answered(start_server, coturn):
    """The client may use no address of its own: every packet goes through coturn, which lets it in with our credentials."""
    pytest.importorskip("aiortc", reason="aiortc is missing: pip install -r tests/python/requirements.txt")
    from aiortc import RTCConfiguration, RTCIceServer, RTCIceTransportPolicy
    from calls import Call, Voice, camera

    server = start_server("relay", f"ice.servers=turn:127.0.0.1:{coturn}?transport=udp", f"ice.turn_secret={SECRET}")
    server.wait()

    async def work():
        turn = json.loads(http(server.url + "/v1/realtime/ice_servers")[2])["ice_servers"][0]
        only = RTCConfiguration(iceServers=[RTCIceServer(**turn)], iceTransportPolicy=RTCIceTransportPolicy.RELAY)
        async with Call.place(server, camera(), Voice(), configuration=only) as call:
            offered = [line for line in call.peer.localDescription.sdp.splitlines() if line.startswith("a=candidate:")]
            assert offered and all(" typ relay " in line for line in offered), offered
            assert await call.ask("Say yes.")

    go(work())
    assert server.stop() == 0


def test_without_servers_the_list_is_empty_and_without_a_key_there_is_none(server, start_server):
    assert json.loads(http(server.url + "/v1/realtime/ice_servers")[2]) == {"ice_servers": [], "expires_at": None}
    locked = start_server("ice-locked", f'server.api_keys=["{KEY}"]')
    locked.wait()
    assert http(locked.url + "/v1/realtime/ice_servers")[0] == 401
    assert http(locked.url + "/whip", "POST", offer(), "application/sdp")[0] == 401
    assert http(locked.url + "/whip", "OPTIONS")[0] in (200, 204), "what may be sent is no secret"
    assert locked.stop() == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["ice.servers=turn:t.example"], ["ice.turn_secret"]),
        (["ice.servers=http://t.example"], ["stun:"]),
        (["ice.servers=turn:t.example", "ice.turn_secret=x", "ice.turn_secret_file=y"], ["one or the other"]),
    ],
)
def test_a_wrong_list_is_refused_before_the_server_starts(settings, words):
    done = run_cli("--check-config", *[a for s in settings for a in ("--set", s)])
    assert done.returncode != 0 and all(w in done.stderr + done.stdout for w in words), done


def test_the_secret_is_not_shown():
    done = run_cli("--print-config", "--set", f"ice.turn_secret={SECRET}")
    assert done.returncode == 0 and SECRET not in done.stdout and 'turn_secret = "***"' in done.stdout
