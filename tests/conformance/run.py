#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Stock clients of the OpenAI Realtime protocol against the real server, over TLS: a table, client by scenario.

    make conformance                     every client
    run.py --only openai,aiortc          those whose file is named so
    run.py --core                        the two that `make test` runs

Every event of the server that a client was sent is checked against the schema that OpenAI publishes (tests/data/openai) and against our own
(schemas/server_events.json). Exit code 0: all green; 1: not; 2: cannot be tried.
"""
from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.append(str(ROOT / "tests" / "python"))
import harness  # noqa: E402

# File, what runs it, and whether `make test` does too.
CLIENTS = [
    ("openai_ws.py", "python", True),
    ("openai.mjs", "node", True),
    ("openai_beta.py", "beta", False),
    ("agents-ws.mjs", "node", False),
    ("agents-webrtc.mjs", "node", False),
    ("aiortc_call.py", "python", False),
    ("libdatachannel_call.py", "python", False),
    ("livekit_agents.py", "python", False),
    ("pipecat_ai.py", "python", False),
]
SCENARIOS = ["session", "text", "picture", "tool", "history", "errors"]
CLIENT_S = 600


def runner(kind: str) -> list[str] | None:
    """How a client is started; None where what it needs is not installed."""
    if kind == "node":
        return ["node", "--no-warnings"] if (HERE / "node_modules").exists() else None
    venvs = {"python": [".venv", ROOT / ".venv"], "beta": [".venv-beta"]}[kind]
    found = [HERE / v / "bin" / "python" for v in venvs if (HERE / v / "bin" / "python").exists()]
    return [str(found[0]), "-W", "ignore"] if found else None


def run(file: str, command: list[str], server: harness.Secure, red: pathlib.Path, events: pathlib.Path) -> list[dict]:
    """The lines of one client."""
    env = {
        **harness.environment(),
        "CONFORMANCE_URL": server.url,
        "CONFORMANCE_RED": str(red),
        "CONFORMANCE_EVENTS": str(events),
        "SSL_CERT_FILE": str(server.folder / "cert.pem"),
        "NODE_EXTRA_CA_CERTS": str(server.folder / "cert.pem"),
    }
    log = harness.ARTIFACTS / f"conformance-{file}.log"
    with open(log, "w", encoding="utf-8") as err:
        try:
            done = subprocess.run([*command, f"clients/{file}"], cwd=HERE, env=env, stdout=subprocess.PIPE, stderr=err, text=True, timeout=CLIENT_S)
            output = done.stdout
        except subprocess.TimeoutExpired as late:
            output = (late.stdout or b"").decode() if isinstance(late.stdout, bytes) else late.stdout or ""
    lines = [json.loads(line) for line in output.splitlines() if line.startswith('{"client"')]
    if not lines:
        lines = [{"client": file, "scenario": "session", "ok": False, "why": f"it said nothing; see {log}", "ms": 0}]
    return lines


class Schemas:
    """OpenAI's schemas of server events, and ours."""

    def __init__(self) -> None:
        from jsonschema import Draft202012Validator

        data = ROOT / "tests" / "data" / "openai"
        published = json.loads((data / "realtime_server_events.json").read_text())
        self.nulls = json.loads((data / "nulls.json").read_text())["nulls"]
        self.theirs = {
            kind: Draft202012Validator({"$defs": published["$defs"], "$ref": schema["$ref"]}) for kind, schema in published["events"].items()
        }
        self.ours = Draft202012Validator(json.loads((ROOT / "schemas" / "server_events.json").read_text()))

    def faults(self, event: dict) -> list[str]:
        kind = event.get("type", "?")
        found = [f"ours: {kind}: {e.message[:200]}" for e in self.ours.iter_errors(event)]
        if validator := self.theirs.get(kind):
            for path in self.nulls:
                forget_null(event, path.strip("/").split("/"))
            found += [f"OpenAI's: {kind} {e.json_path}: {e.message[:200]}" for e in validator.iter_errors(event)]
        return found


def forget_null(value, path: list[str]) -> None:
    """Takes a null away from where the published schema has none and the service says it all the same."""
    for key in path[:-1]:
        if isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            return
    if isinstance(value, dict) and value.get(path[-1], 0) is None:
        del value[path[-1]]


def main() -> int:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--only", help="files, with commas between, without their endings")
    args.add_argument("--core", action="store_true", help="the two that `make test` runs")
    args = args.parse_args()
    if reason := harness.missing():
        print(f"conformance: {reason}")
        return 2
    wanted = args.only.split(",") if args.only else None
    clients = [c for c in CLIENTS if (c[2] or not args.core) and (wanted is None or c[0].rsplit(".", 1)[0] in wanted)]
    schemas, rows, failed, checked = Schemas(), [], False, 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        red = folder / "red.png"
        red.write_bytes(harness.square_png())
        server = harness.Secure("conformance", folder / "tls")
        server.url = f"https://localhost:{server.port}"
        server.wait()
        for file, kind, _ in clients:
            command = runner(kind)
            if command is None:
                print(f"conformance: {file} cannot run: `make conformance` installs what it needs")
                return 2
            events = folder / f"{file}.jsonl"
            lines = run(file, command, server, red, events)
            seen = [json.loads(line) for line in events.read_text().splitlines()] if events.exists() else []
            faults = sorted({fault for event in seen for fault in schemas.faults(event)})
            checked += len(seen)
            rows.append((lines, len(seen), faults))
            failed |= bool(faults) or not all(line["ok"] for line in lines)
            for line in lines:
                if not line["ok"]:
                    print(f"  {line['client']}, {line['scenario']}: {line['why']}", flush=True)
            for fault in faults:
                print(f"  {lines[0]['client']}, schema: {fault}", flush=True)
        if server.stop() != 0 or "panicked" in server.log():
            print("  the server did not end as it should")
            failed = True
    table(rows)
    print(f"{checked} events of the server checked against both schemas")
    return 1 if failed else 0


def table(rows: list) -> None:
    width = max(len(lines[0]["client"]) for lines, _, _ in rows) + 2
    print(f"{'client':{width}}" + "".join(f"{s:>9}" for s in SCENARIOS) + f"{'events':>9}{'schema':>9}")
    for lines, seen, faults in rows:
        of = {line["scenario"]: "ok" if line["ok"] else "FAILS" for line in lines}
        schema = "-" if seen == 0 else "FAILS" if faults else "ok"
        cells = "".join(f"{of.get(s, '-'):>9}" for s in SCENARIOS)
        print(f"{lines[0]['client']:{width}}{cells}{seen or '-':>9}{schema:>9}")


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
