# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the tests share: the real server as a process, plain HTTP, a plain WebSocket client, pictures and speech of our own making."""
from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import math
import os
import pathlib
import re
import signal
import socket
import ssl
import struct
import subprocess
import time
import urllib.error
import urllib.request
import zlib

import websockets

ROOT = pathlib.Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "tests" / "artifacts"
BIN = pathlib.Path(os.environ.get("SIGHTLINE_BIN", ROOT / "target" / "release" / "sightline"))
MODELS = pathlib.Path(os.environ.get("SIGHTLINE_MODELS", ROOT / "models"))
LLM = MODELS / "qwen2.5-coder-0.5b-instruct" / "model.gguf"
# The default model has much to say to this.
LONG = "Write the numbers from one to fifty."
# Other programs may be busy on the same two cores: long enough for them, and a test that passes never waits for it.
PATIENCE_S = 60


def missing() -> str | None:
    """Why the server cannot be tested here."""
    if not BIN.exists():
        return f"no server at {BIN}: set SIGHTLINE_BIN, or run `make build`"
    if not LLM.exists():
        return f"no weights at {LLM}: set SIGHTLINE_MODELS, or run `make models`"
    return None


def environment(**more: str) -> dict[str, str]:
    """Ours, with the weights, and without settings of the person who runs the tests."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith("SIGHTLINE") and k != "RUST_LOG"}
    # How many sessions a machine carries is what tests of admission are about, and of no other test.
    return {**ours, "SIGHTLINE__MODELS__DIR": str(MODELS), "SIGHTLINE__SERVER__ADMISSION": "fixed", **more}


def run_cli(*args: str | pathlib.Path, timeout: float = PATIENCE_S, **env: str) -> subprocess.CompletedProcess[str]:
    """One command to its end."""
    command = [str(BIN), *map(str, args)]
    return subprocess.run(command, cwd=ROOT, env=environment(**env), text=True, capture_output=True, timeout=timeout)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_free_udp(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_udp_ports(count: int) -> range:
    """A range of UDP ports that nobody has, below those that the system hands out."""
    first = 20_000 + os.getpid() % 500 * 20
    while not all(is_free_udp(p) for p in range(first, first + count)):
        first += count
    return range(first, first + count)


class Server:
    """`sightline serve` on a free port, with UDP ports and a log of its own."""

    def __init__(self, name: str, *settings: str, **env: str) -> None:
        self.port, self.udp = free_port(), free_udp_ports(10)
        self.url, self.ws = f"http://127.0.0.1:{self.port}", f"ws://127.0.0.1:{self.port}/v1/realtime"
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        self.log_file = ARTIFACTS / f"python-{name}.log"
        settings += (f"ingest.udp_ports={self.udp[0]}-{self.udp[-1]}", "ingest.bind_ips=127.0.0.1")
        command = [str(BIN), "serve", "--bind", f"127.0.0.1:{self.port}"]
        for setting in settings:
            command += ["--set", setting]
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment(**env), stdout=log, stderr=log)

    def wait(self) -> dict:
        """Until it is ready; what `/readyz` says."""
        deadline = time.monotonic() + 2 * PATIENCE_S
        while time.monotonic() < deadline:
            assert self.alive(), f"the server ended with {self.process.returncode}: {self.log()[-2000:]}"
            with contextlib.suppress(OSError):
                status, _, body = http(self.url + "/readyz", trust=self.trust())
                if status == 200:
                    return json.loads(body)
            time.sleep(0.1)
        self.process.kill()
        raise AssertionError(f"the server is not ready: {self.log()[-2000:]}")

    def trust(self):
        """The TLS context that clients need; None without TLS."""
        return None

    def alive(self) -> bool:
        return self.process.poll() is None

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def metric(self, name: str, label: str = "") -> float:
        """Sum over the labels, or over those with `label` in them; 0 where it was never counted."""
        text = http(self.url + "/metrics")[2]
        labels = rf"\{{.*{label}.*\}}" if label else r"(?:\{.*\})?"
        found = re.findall(rf"^{name}{labels} (\S+)$", text, re.MULTILINE)
        return sum(map(float, found))

    def rss_mib(self) -> float:
        """Main memory of the process."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+)", status, re.MULTILINE)[1]) / 1024

    def sessions(self) -> int:
        return int(self.metric("sightline_sessions_active"))

    def wait_for_sessions(self, count: int, seconds: float) -> None:
        """Until no more than so many are left."""
        deadline = time.monotonic() + seconds
        while (left := self.sessions()) > count:
            assert time.monotonic() < deadline, f"{left} sessions after {seconds} s instead of {count}"
            time.sleep(0.1)

    async def wait_until_away(self) -> None:
        """Until it has noticed that a client is cut off: only then does that session make room."""
        while not await asyncio.to_thread(self.metric, "sightline_sessions_away"):
            await asyncio.sleep(0.05)

    def stop(self, seconds: float = 10) -> int:
        """The exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server did not stop within {seconds} s of SIGTERM") from None


def http(
    url: str, method: str = "GET", body: bytes | str | None = None, kind: str | None = None, trust=None, more: dict | None = None
) -> tuple[int, dict, str]:
    """Status, headers (lower case) and body of any answer, refusals too. `trust`: the TLS context of an https address; `more`: further headers."""
    data = body.encode() if isinstance(body, str) else body
    headers = {**({"Content-Type": kind} if kind is not None else {}), **(more or {})}
    request = urllib.request.Request(url, method=method, data=data, headers=headers)
    try:
        answer = urllib.request.urlopen(request, timeout=PATIENCE_S, context=trust)
    except urllib.error.HTTPError as refusal:
        answer = refusal
    with answer:
        return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read().decode()


class Secure(Server):
    """Speaks HTTPS; clients trust its own certificate and nothing else."""

    def __init__(self, name: str, folder: pathlib.Path) -> None:
        super().__init__(name, "server.tls_self_signed=true", f"server.tls_dir={folder}")
        self.url, self.ws = self.url.replace("http:", "https:"), self.ws.replace("ws:", "wss:")
        self.folder = folder

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.folder / "cert.pem")

    def get(self, path: str) -> tuple[int, str]:
        status, _, body = http(self.url + path, trust=self.trust())
        return status, body


def holds(folder: pathlib.Path, words: str) -> list[str]:
    """Files of an archive with these bytes in them.

    The server may be removing files and folders meanwhile: what is gone holds nothing (`os.walk` passes by such folders,
    `Path.rglob` fails at them).
    """
    found = []
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                if words.encode() in (pathlib.Path(parent) / name).read_bytes():
                    found.append(name)
    return found


class Refused(AssertionError):
    """An `error` event where none was expected."""


class Talk:
    """A plain WebSocket session: JSON out, JSON in, nothing hidden."""

    def __init__(self, socket) -> None:
        self.socket = socket
        self.seen: list[dict] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, server: Server, query: str = "model=sightline", **options):
        async with websockets.connect(f"{server.ws}?{query}", max_size=None, **options) as socket:
            talk = cls(socket)
            await talk.until("session.created")
            yield talk

    async def send(self, kind: str, **fields) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def next(self, seconds: float = PATIENCE_S) -> dict:
        event = json.loads(await asyncio.wait_for(self.socket.recv(), seconds))
        self.seen.append(event)
        return event

    async def until(self, kind: str, seconds: float = PATIENCE_S) -> dict:
        """The next event of this kind; an `error` before it is a failure."""
        while True:
            event = await self.next(seconds)
            if event["type"] == kind:
                return event
            if event["type"] == "error":
                raise Refused(f"error instead of {kind}: {event['error']}")

    async def error(self, seconds: float = PATIENCE_S) -> dict:
        """The next `error`, whatever comes before it."""
        error = (await self.until("error", seconds))["error"]
        assert error["type"] in ("invalid_request_error", "server_error", "rate_limit_error"), error
        assert error["code"] and len(error["message"]) > 10, error
        return error

    async def say(self, *parts: dict | str, **fields) -> dict:
        """A user message; the item as added."""
        content = [text(p) if isinstance(p, str) else p for p in parts]
        await self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content}, **fields)
        return (await self.until("conversation.item.done"))["item"]

    async def answer(self, **response) -> dict:
        """Asks for a response; the finished response, with its words as `text`."""
        await self.send("response.create", **({"response": response} if response else {}))
        return await self.answered()

    async def answered(self) -> dict:
        response = (await self.until("response.done"))["response"]
        return {**response, "text": "".join(p["text"] for item in response["output"] for p in item["content"])}

    async def ask(self, *parts: dict | str) -> str:
        await self.say(*parts)
        response = await self.answer()
        assert response["status"] == "completed", response
        return response["text"]


def text(words: str) -> dict:
    return {"type": "input_text", "text": words}


def image(data: bytes, kind: str = "png") -> dict:
    return {"type": "input_image", "image_url": f"data:image/{kind};base64,{base64.b64encode(data).decode()}"}


def go(work, seconds: float = 2 * PATIENCE_S):
    """Runs one test's coroutine."""
    return asyncio.run(asyncio.wait_for(work, seconds))


# ── pictures ──


def png_of_rows(width: int, height: int, rows: bytes, declared: tuple[int, int] | None = None) -> bytes:
    """A PNG of RGB rows, each with its filter byte; `declared` lies about the size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", *(declared or (width, height)), 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def square_png(colour: tuple[int, int, int] = (220, 20, 20)) -> bytes:
    """A coloured square on white."""
    white, paint = bytes((255, 255, 255)), bytes(colour)
    plain, crossed = b"\0" + white * 320, b"\0" + white * 80 + paint * 160 + white * 80
    return png_of_rows(320, 240, plain * 40 + crossed * 160 + plain * 40)


# Letters as strokes in a box of 4 by 6: enough for the words of the tests.
STROKES = {
    "H": [(0, 0, 0, 6), (4, 0, 4, 6), (0, 3, 4, 3)],
    "E": [(0, 0, 0, 6), (0, 0, 4, 0), (0, 3, 3, 3), (0, 6, 4, 6)],
    "L": [(0, 0, 0, 6), (0, 6, 4, 6)],
    "O": [(1, 0, 3, 0), (3, 0, 4, 2), (4, 2, 4, 4), (4, 4, 3, 6), (3, 6, 1, 6), (1, 6, 0, 4), (0, 4, 0, 2), (0, 2, 1, 0)],
    "4": [(3, 6, 3, 0), (3, 0, 0, 4), (0, 4, 4, 4)],
    "2": [(0, 1, 1, 0), (1, 0, 3, 0), (3, 0, 4, 1), (4, 1, 4, 2), (4, 2, 0, 6), (0, 6, 4, 6)],
    " ": [],
}


def words_png(words: str) -> bytes:
    """Black words on white, in thick strokes."""
    width, height, unit, thick = 640, 240, 11, 6
    rows = bytearray((b"\0" + bytes((255,)) * width * 3) * height)
    left, top = (width - len(words) * 6 * unit) // 2 + unit, (height - 6 * unit) // 2
    for index, letter in enumerate(words):
        x0 = left + index * 6 * unit
        lines = [(x0 + a * unit, top + b * unit, x0 + c * unit, top + d * unit) for a, b, c, d in STROKES[letter]]
        for y in range(top - thick, top + 6 * unit + thick):
            for x in range(x0 - thick, x0 + 4 * unit + thick):
                near = min((far_from(x, y, line) for line in lines), default=thick)
                if near < thick:
                    at = y * (width * 3 + 1) + 1 + x * 3
                    rows[at : at + 3] = bytes((min(255, max(0, int((near - thick + 1) * 255))),)) * 3
    return png_of_rows(width, height, bytes(rows))


def far_from(x: float, y: float, line: tuple[int, int, int, int]) -> float:
    """Distance of a point from a stroke."""
    ax, ay, bx, by = line
    dx, dy = bx - ax, by - ay
    along = max(0.0, min(1.0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)))
    return math.hypot(x - ax - along * dx, y - ay - along * dy)


# ── sound ──


def pcm(wav: pathlib.Path, rate: int) -> bytes:
    """A sound file as 16-bit mono samples."""
    import av

    resampler, out = av.AudioResampler(format="s16", layout="mono", rate=rate), b""
    with av.open(str(wav)) as clip:
        for frame in [*clip.decode(audio=0), None]:
            for piece in resampler.resample(frame):
                out += bytes(piece.planes[0])[: piece.samples * 2]
    return out
