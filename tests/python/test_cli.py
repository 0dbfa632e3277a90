# SPDX-License-Identifier: MIT OR Apache-2.0
"""The command line: what it prints, its exit codes, and servers that start with something wrong or missing."""
from __future__ import annotations

import asyncio
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from harness import BIN, LLM, LONG, MODELS, PATIENCE_S, Talk, environment, go, http, image, is_free_udp, run_cli, square_png

DEFAULTS = {"llm": LLM.parent.name, "asr": "moonshine-tiny", "detector": "yolox-nano", "classifier": "efficientnet-lite", "ocr": "ppocr", "embedder": "all-minilm-l6-v2"}


def refused(done: subprocess.CompletedProcess, *named: str) -> None:
    """Exit code 2, and a message on standard error that names these."""
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert done.stdout == "", done
    message = done.stderr[done.stderr.find("sightline: ") :].lower()
    assert message.startswith("sightline: "), done.stderr
    for word in named:
        assert word.lower() in message, done.stderr


@pytest.fixture
def weights(tmp_path):
    """A copy of the weights whose files can be spoilt: folders of our own, files linked."""
    for name in DEFAULTS.values():
        (tmp_path / name).mkdir()
        for file in (MODELS / name).iterdir():
            (tmp_path / name / file.name).symlink_to(file.resolve())
    return tmp_path


def spoil(file: pathlib.Path, data: bytes) -> None:
    file.unlink()
    file.write_bytes(data)


# ── configuration ──


def test_the_configuration_in_force_is_printed_with_its_origins():
    shown = run_cli("--print-config", "--set", "server.max_sessions=3", SIGHTLINE__BUDGET__ASR_MS="450")
    assert shown.returncode == 0, shown.stderr
    lines = {line.split("=")[0].strip(): line for line in shown.stdout.splitlines() if "=" in line}
    assert "3" in lines["max_sessions"] and "--set" in lines["max_sessions"]
    assert "450" in lines["asr_ms"] and "SIGHTLINE__BUDGET__ASR_MS" in lines["asr_ms"]
    assert "default" in lines["write_deadline_ms"]


def test_a_right_configuration_is_said_to_be_right():
    done = run_cli("--check-config")
    assert done.returncode == 0 and "right" in done.stdout, done


@pytest.mark.parametrize(
    ("args", "env", "named"),
    [
        (["--set", "server.max_sesions=3"], {}, ["server.max_sesions", "did you mean", "server.max_sessions"]),
        ([], {"SIGHTLINE__SEVER__BIND": "127.0.0.1:1"}, ["sever", "did you mean", "server"]),
        (["--set", "budget.asr_ms=0"], {}, ["budget.asr_ms", "1 to 60000", '"0"']),
        (["--set", "server.bind=nowhere"], {}, ["server.bind", "nowhere"]),
        (["--set", "ingest.udp_ports=9-5"], {}, ["ingest.udp_ports", "9-5"]),
        (["--set", "telemetry.log=a=b=c"], {}, ["telemetry.log"]),
        (["--set", "server.bind"], {}, ["section.key=value"]),
        (["--bind", "0.0.0.0:0"], {}, ["server.bind", "api_keys"]),
    ],
    ids=lambda value: value[-1] if value and isinstance(value, list) else "",
)
def test_a_wrong_setting_is_named_with_what_would_be_right(args, env, named):
    refused(run_cli("serve", *args, **env), *named)


def test_a_wrong_file_of_settings_is_named_with_the_line(tmp_path):
    file = tmp_path / "mine.toml"
    refused(run_cli("serve", "--config", file), "mine.toml")
    file.write_text("[server]\nbind = \n")
    refused(run_cli("--check-config", "--config", file), "mine.toml", "line 2")
    file.write_text("[server]\nbid = '127.0.0.1:1'\nmax_sessions = 'many'\n")
    refused(run_cli("--check-config", "--config", file), "server.bid", "server.bind", "server.max_sessions", "many")


# ── what is there ──


def test_the_doctor_and_the_list_of_models_speak_json():
    done = run_cli("doctor", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == (0 if report["able"] else 2), done
    checks = {c["name"] for c in report["checks"]}
    assert {"processor", "memory", "media", "weights"} <= checks
    for check in report["checks"]:
        assert check["found"] and (check["verdict"] == "good" or check["fix"]), check
    models = {m["name"]: m for m in json.loads(run_cli("models", "list", "--json").stdout)["models"]}
    for role, name in DEFAULTS.items():
        assert models[name]["role"] == role and models[name]["licence"], models[name]


@pytest.mark.skipif(not shutil.which("qemu-x86_64"), reason="qemu-user is missing: apt-get install qemu-user")
def test_a_processor_of_2009_starts_it_and_is_told_that_it_will_be_slow():
    # The binary starts itself again to set this, which would leave the emulated processor.
    env = environment(CANDLE_NUM_THREADS="1")
    doctor = subprocess.run(["qemu-x86_64", "-cpu", "Nehalem", str(BIN), "doctor", "--json"], env=env, text=True, capture_output=True, timeout=2 * PATIENCE_S)
    checks = json.loads(doctor.stdout)["checks"]
    processor = next(c for c in checks if c["name"] == "processor")
    assert processor["verdict"] == "warn" and "scalar" in processor["found"] and "AVX2" in processor["fix"], processor


def test_the_doctor_names_weights_that_are_missing(tmp_path):
    done = run_cli("doctor", "--json", SIGHTLINE__MODELS__DIR=str(tmp_path))
    assert done.returncode == 2 and not json.loads(done.stdout)["able"]
    bad = [c for c in json.loads(done.stdout)["checks"] if c["verdict"] == "bad"]
    assert any(DEFAULTS["llm"] in c["found"] and "pull" in c["fix"] for c in bad), bad


# ── weights ──


def test_without_a_language_model_nothing_starts_and_the_file_is_named(weights):
    shutil.rmtree(weights / DEFAULTS["llm"])
    refused(run_cli("serve", "--bind", "127.0.0.1:0", SIGHTLINE__MODELS__DIR=str(weights)), DEFAULTS["llm"], "models pull")
    refused(run_cli("serve", "--bind", "127.0.0.1:0", SIGHTLINE__MODELS__DIR=str(weights / "nowhere")), "nowhere", "models pull")


@pytest.mark.parametrize(
    ("role", "file"),
    [("llm", "model.gguf"), ("asr", "model.safetensors"), ("detector", "model.onnx"), ("classifier", "model.tflite"), ("ocr", "rec.onnx")],
)
@pytest.mark.parametrize("damage", ["truncated", "corrupt"])
def test_damaged_weights_are_refused_before_anything_loads_them(weights, role, file, damage):
    spoilt = weights / DEFAULTS[role] / file
    data = spoilt.read_bytes()[: 4 * 1024 * 1024]
    if damage == "corrupt":  # of the right size, with other bytes in it
        whole = spoilt.stat().st_size
        spoil(spoilt, data[:1000] + bytes(len(data) - 1000))
        with open(spoilt, "r+b") as out:
            out.truncate(whole)
    else:
        spoil(spoilt, data[: len(data) // 2])
    done = run_cli("serve", "--bind", "127.0.0.1:0", SIGHTLINE__MODELS__DIR=str(weights))
    refused(done, DEFAULTS[role], file)


def test_without_the_other_models_it_starts_says_so_and_answers(start_server, weights):
    for role in ("asr", "detector", "ocr"):
        shutil.rmtree(weights / DEFAULTS[role])
    server = start_server("without", SIGHTLINE__MODELS__DIR=str(weights))
    degraded = " ".join(server.wait()["degraded"])
    for role in ("asr", "detector", "ocr"):
        assert DEFAULTS[role] in degraded and DEFAULTS[role] in server.log(), (role, degraded)

    async def work():
        async with Talk.open(server) as talk:
            assert "red" in (await talk.ask(image(square_png()), "What colours do you see?")).lower()
            await talk.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
            await talk.send("input_audio_buffer.append", audio="AAAA" * 4000)
            await talk.send("input_audio_buffer.commit")
            failed = await talk.until("conversation.item.input_audio_transcription.failed")
            assert failed["error"]["code"] == "transcription_failed", failed

    go(work())
    assert server.stop() == 0


def test_a_device_that_this_build_has_not_is_named():
    refused(run_cli("serve", "--bind", "127.0.0.1:0", "--set", "engine.device=cuda"), "cuda", "cpu")


# ── ports and ends ──


def test_a_port_in_use_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(run_cli("serve", "--bind", f"127.0.0.1:{port}"), str(port), "in use", "--bind")


def test_it_stops_within_five_seconds_while_sessions_talk_and_tells_them(start_server):
    server = start_server("stopped", "server.max_sessions=1")
    server.wait()

    async def work():
        async with Talk.open(server) as talk:
            status, headers, body = await asyncio.to_thread(http, server.url + "/v1/realtime/calls", "POST", "v=0", "application/sdp")
            assert status == 429 and "retry-after" in headers, (status, headers)
            assert json.loads(body)["error"]["code"] == "session_capacity"
            await talk.say(LONG)
            await talk.send("response.create")
            await talk.until("response.output_text.delta")
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(talk.socket.wait_closed(), 5)
            assert talk.socket.close_code in (1001, 1012), talk.socket.close_code
            assert talk.socket.close_reason
            code = await asyncio.to_thread(server.process.wait, 5)
            assert code == 0 and time.monotonic() - began < 5

    go(work())


def test_it_stops_within_five_seconds_in_the_middle_of_a_call(start_server):
    pytest.importorskip("aiortc", reason="aiortc is missing: pip install -r tests/python/requirements.txt")
    from calls import Call, Voice, camera

    server = start_server("stopped-call")
    server.wait()

    async def work():
        async with Call.place(server, camera(), Voice(), query="ext=scene") as call:
            await call.until("scene.facts")
            server.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(server.process.wait, 5) == 0
            await asyncio.wait_for(call.closed.wait(), 5)
            call.location = ""  # nobody is left to hang up

    go(work())
    assert not [p for p in server.udp if not is_free_udp(p)]


# ── ask ──


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Two seconds of red, and a file with nothing but sound."""
    if not shutil.which("gst-launch-1.0"):
        pytest.skip("gst-launch-1.0 is missing: apt-get install gstreamer1.0-tools")
    folder = tmp_path_factory.mktemp("clips")
    for graph in (
        f"videotestsrc pattern=red num-buffers=20 ! video/x-raw,width=320,height=240,framerate=10/1 ! vp8enc deadline=1 ! webmmux ! filesink location={folder}/red.webm",
        f"audiotestsrc num-buffers=50 ! audioconvert ! audioresample ! opusenc ! oggmux ! filesink location={folder}/sound.ogg",
    ):
        subprocess.run(["gst-launch-1.0", "-q", *graph.split()], check=True, timeout=60)
    return folder


def test_ask_answers_about_a_clip_and_prints_its_events(clip):
    done = run_cli("ask", clip / "red.webm", "What colours do you see?", "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    of = {e["type"]: e for e in events}
    assert {"session.created", "scene.facts", "response.done", "response.latency"} <= set(of)
    assert "red" in of["response.output_text.done"]["text"].lower()
    latency = of["response.latency"]
    assert latency["response_id"] == of["response.done"]["response"]["id"] and latency["total_ms"] > 0
    plain = run_cli("ask", clip / "red.webm", "What colours do you see?")
    assert plain.returncode == 0 and plain.stdout.strip() == of["response.output_text.done"]["text"].strip()


def test_ask_at_a_moment_remembers_what_was_before_and_watches_faster_than_it_was_filmed(clip, tmp_path):
    raw = "video/x-raw,width=320,height=240,framerate=10/1"
    parts = [f"videotestsrc pattern={colour} num-buffers=400 ! {raw} ! queue ! c." for colour in ("red", "blue", "green")]
    graph = f"concat name=c ! vp8enc deadline=1 ! webmmux ! filesink location={tmp_path}/colours.webm {' '.join(parts)}"
    subprocess.run(["gst-launch-1.0", "-q", *graph.split()], check=True, timeout=60)
    done = run_cli("ask", tmp_path / "colours.webm", "--at", "00:01:10", "What did you see at the beginning?")
    assert done.returncode == 0, done.stderr
    assert "red" in done.stdout.lower() and "green" not in done.stdout.lower(), done.stdout
    watched = re.search(r"watched 00:01:(\d\d)\S* in [\d.]+ s, ([\d.]+) times as fast", done.stderr)
    assert watched and watched[1] in ("09", "10") and float(watched[2]) > 1, done.stderr


def test_ask_names_a_file_that_is_no_video(clip, tmp_path):
    for name, data in [("notes.txt", b"Dear diary, no video today.\n" * 50), ("empty.webm", b""), ("cut.webm", (clip / "red.webm").read_bytes()[:200])]:
        (tmp_path / name).write_bytes(data)
        refused(run_cli("ask", tmp_path / name, "What is this?"), name)
    refused(run_cli("ask", tmp_path / "missing.webm", "What is this?"), "missing.webm", "does not exist")
    refused(run_cli("ask", tmp_path, "What is this?"), tmp_path.name)
    refused(run_cli("ask", clip / "sound.ogg", "What is this?"), "sound.ogg", "video")
