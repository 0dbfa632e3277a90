# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the clients in Python share: the scenarios' data, a record of every event of the server, one line of JSON per scenario."""
from __future__ import annotations

import asyncio
import base64
import json
import os
import pathlib
import sys
import time

PATIENCE_S = 120
URL = os.environ["CONFORMANCE_URL"]
WSS = URL.replace("https:", "wss:") + "/v1/realtime"
RED = pathlib.Path(os.environ["CONFORMANCE_RED"]).read_bytes()
RED_URI = "data:image/png;base64," + base64.b64encode(RED).decode()
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
RESULT = json.dumps({"temperature_celsius": 21, "sky": "clear"})


def record(event: str | bytes) -> None:
    """Writes one event down as it came."""
    text = event.decode() if isinstance(event, bytes) else event
    with open(os.environ["CONFORMANCE_EVENTS"], "a", encoding="utf-8") as out:
        out.write(text.replace("\n", " ") + "\n")


def told(words: str) -> None:
    assert "21" in words or "clear" in words.lower(), words


async def scenarios(client: str, work: dict) -> None:
    """Runs the scenarios in order; the first that fails does not stop the others."""
    failed = False
    for name, scenario in work.items():
        began, why = time.monotonic(), None
        try:
            await asyncio.wait_for(scenario(), PATIENCE_S)
        except BaseException as e:  # noqa: BLE001, what goes wrong is what is told
            why = f"{type(e).__name__}: {e}"
            if isinstance(e, KeyboardInterrupt):
                raise
        failed |= why is not None
        line = {"client": client, "scenario": name, "ok": why is None, "why": why, "ms": round((time.monotonic() - began) * 1000)}
        print(json.dumps(line), flush=True)
    sys.stdout.flush()
    os._exit(1 if failed else 0)
