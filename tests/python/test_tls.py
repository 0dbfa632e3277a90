# SPDX-License-Identifier: MIT OR Apache-2.0
"""HTTPS and wss: without a proxy, with a certificate made on this machine."""

import socket
import ssl

import pytest
import websockets

from harness import PATIENCE_S, Secure, Talk, go, run_cli


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    server = Secure("tls", tmp_path_factory.mktemp("tls"))
    server.wait()
    yield server
    assert server.stop() == 0


def test_https_and_wss_work_with_the_servers_own_certificate(secure):
    assert secure.get("/readyz")[0] == 200
    assert "<html" in secure.get("/")[1].lower()
    assert "open https://localhost" in secure.log()

    async def work():
        async with Talk.open(secure, ssl=secure.trust()) as talk:
            await talk.send("session.update", session={"type": "realtime", "instructions": "Be brief."})
            assert (await talk.until("session.updated"))["session"]["instructions"] == "Be brief."
        # Nobody else is trusted.
        with pytest.raises(ssl.SSLCertVerificationError):
            await websockets.connect(secure.ws + "?model=sightline")

    go(work())


def test_who_speaks_http_is_told_and_who_says_nothing_holds_nobody_up(secure):
    with socket.create_connection(("127.0.0.1", secure.port), PATIENCE_S) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        told = plain.makefile("rb").read().decode()
    assert told.startswith("HTTP/1.1 400") and "https://" in told
    silent = [socket.create_connection(("127.0.0.1", secure.port), PATIENCE_S) for _ in range(60)]
    try:
        assert secure.get("/healthz")[0] == 200
        # They are let go of after five seconds.
        silent[0].settimeout(PATIENCE_S)
        assert silent[0].recv(1) == b""
    finally:
        for s in silent:
            s.close()
    text = secure.get("/metrics")[1]
    assert 'sightline_tls_refused_total{reason="handshake"}' in text


def test_wrong_files_are_named(tmp_path):
    for settings, words in [
        ((f"server.tls_cert_file={tmp_path}/cert.pem",), ("server.tls_cert_file", "server.tls_key_file")),
        ((f"server.tls_cert_file={tmp_path}/a.pem", f"server.tls_key_file={tmp_path}/b.pem"), ("a.pem", "tls_cert_file")),
    ]:
        flags = [word for s in settings for word in ("--set", s)]
        done = run_cli("serve", "--bind", "127.0.0.1:0", *flags)
        assert done.returncode == 2, done.stderr
        for word in words:
            assert word in done.stderr, done.stderr
