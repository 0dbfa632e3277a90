# SPDX-License-Identifier: MIT OR Apache-2.0
"""One server for most tests; after each test it must live, and the sessions of the test must be gone."""
from __future__ import annotations

import shutil
import subprocess

import pytest

import harness
from harness import ARTIFACTS, Server


@pytest.fixture(autouse=True, scope="session")
def able() -> None:
    if reason := harness.missing():
        pytest.skip(reason, allow_module_level=True)


@pytest.fixture(scope="session")
def start_server():
    """Starts servers of the test's own; what still runs at the end is stopped, and no log may show a panic."""
    started: list[Server] = []

    def start(name: str, *settings: str, **env: str) -> Server:
        started.append(Server(name, *settings, **env))
        return started[-1]

    yield start
    for server in started:
        if server.alive():
            server.stop()
    panicked = [s.log_file.name for s in started if "panicked" in s.log()]
    assert not panicked, f"panics in {panicked}"


@pytest.fixture(scope="session")
def shared_server(start_server):
    server = start_server("shared", "server.max_sessions=6", "server.write_deadline_ms=2000")
    server.wait()
    yield server
    assert server.alive(), f"the server ended with {server.process.returncode}"
    server.wait_for_sessions(0, seconds=30)
    assert server.stop() == 0
    assert not (taken := [p for p in server.udp if not harness.is_free_udp(p)]), f"UDP ports still held: {taken}"


@pytest.fixture
def server(shared_server):
    """The shared server, around one test."""
    before = shared_server.sessions()
    yield shared_server
    assert shared_server.alive(), f"the server ended with {shared_server.process.returncode}"
    assert "panicked" not in shared_server.log()
    shared_server.wait_for_sessions(before, seconds=15)


@pytest.fixture(scope="session")
def speak():
    """A function: words to a WAV file that speaks them."""
    if not shutil.which("espeak-ng"):
        pytest.skip("espeak-ng is missing: apt-get install espeak-ng")

    def speak(words: str):
        path = ARTIFACTS / f"python-speech-{len(words)}.wav"
        subprocess.run(["espeak-ng", "-v", "en-us", "-s", "140", "-w", path, words], check=True, timeout=30)
        return path

    return speak
