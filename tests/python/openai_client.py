#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The stock OpenAI Python client against a running server, over WebSocket.

    python3 openai_client.py --url http://127.0.0.1:8080 [--image FILE --question TEXT --expect WORD]

Asks one question in text and one about an image, checks the order of the events and that a wrong request gets an
`error` that names it. Prints one JSON object. Exit code 0: all as it should be; 1: not; 2: cannot be tried.
"""
from __future__ import annotations

import argparse
import asyncio
import base64
import json
import pathlib
import struct
import sys
import time
import zlib

try:
    from openai import AsyncOpenAI
except ImportError:
    sys.exit("the openai package is missing: pip install -r tests/python/requirements.txt")

TIMEOUT_S = 120

# What an answer in text looks like on the wire. Each may be followed by more of itself where marked.
ORDER = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_text.delta",  # and more
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "conversation.item.done",
    "response.done",
]


class Wrong(Exception):
    """Something the server did that it must not do."""


def red_square() -> bytes:
    """A PNG of our own making: 320×240, a red square on white."""
    width, height = 320, 240
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            inside = 80 <= x < 240 and 40 <= y < 200
            rows += bytes((220, 20, 20)) if inside else bytes((255, 255, 255))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")


def data_uri(image: bytes) -> str:
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def check_order(types: list[str]) -> None:
    """Every event of ORDER came, in that order; deltas may repeat, and other events may stand between."""
    at = 0
    for kind in types:
        if kind == ORDER[at]:
            at += 1
            if at == len(ORDER):
                break
        elif kind in ORDER and not (kind == "response.output_text.delta" and ORDER[at - 1] == kind):
            raise Wrong(f"{kind} came where {ORDER[at]} was due: {types}")
    if at < len(ORDER):
        raise Wrong(f"{ORDER[at]} never came: {types}")
    if types[-1] != "response.done":
        raise Wrong(f"the answer ends with {types[-1]}")


async def next_event(connection):
    return await asyncio.wait_for(connection.recv(), TIMEOUT_S)


async def wait_for(connection, kind: str):
    while True:
        event = await next_event(connection)
        if event.type == "error":
            raise Wrong(f"error instead of {kind}: {event.error.message}")
        if event.type == kind:
            return event


async def turn(connection, content: list[dict]) -> dict:
    """One question, one answer."""
    await connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
    added = await wait_for(connection, "conversation.item.added")
    done = await wait_for(connection, "conversation.item.done")
    if added.item.id != done.item.id:
        raise Wrong("the item that was added is not the item that was done")
    began = time.monotonic()
    await connection.response.create()
    types, text, first_ms = [], "", None
    while True:
        event = await next_event(connection)
        types.append(event.type)
        if event.type == "error":
            raise Wrong(f"error instead of an answer: {event.error.message}")
        if event.type == "response.output_text.delta":
            first_ms = first_ms or round((time.monotonic() - began) * 1000)
            text += event.delta
        if event.type == "response.output_text.done" and event.text != text:
            raise Wrong(f"the whole text {event.text!r} is not the sum of its parts {text!r}")
        if event.type == "response.done":
            break
    check_order(types)
    if event.response.status != "completed":
        raise Wrong(f"the answer is {event.response.status}")
    usage = event.response.usage
    tokens = None if usage is None else {"input": usage.input_tokens, "output": usage.output_tokens}
    return {"text": text, "first_token_ms": first_ms, "deltas": types.count("response.output_text.delta"), "tokens": tokens}


async def wrong_request(connection) -> str:
    """A request that cannot be met gets an error that names it, and the session lives on."""
    await connection.response.cancel(event_id="nothing-to-cancel")
    while True:
        event = await next_event(connection)
        if event.type == "error":
            break
    if event.error.code != "response_cancel_not_active" or event.error.event_id != "nothing-to-cancel":
        raise Wrong(f"the error is {event.error.code} for {event.error.event_id}")
    return event.error.message


async def main(args: argparse.Namespace) -> dict:
    url = args.url.rstrip("/")
    socket_url = "ws" + url.removeprefix("http") + "/v1"
    client = AsyncOpenAI(api_key=args.key, base_url=f"{url}/v1", websocket_base_url=socket_url)
    image = args.image.read_bytes() if args.image else red_square()
    async with client.realtime.connect(model=args.model) as connection:
        created = await next_event(connection)
        if created.type != "session.created":
            raise Wrong(f"the first event is {created.type}")
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"], "instructions": "Answer in one short sentence."})
        updated = await wait_for(connection, "session.updated")
        result = {"session": created.session.id, "modalities": updated.session.output_modalities}
        result["text"] = await turn(connection, [{"type": "input_text", "text": "Say hello in one word."}])
        question = [{"type": "input_image", "image_url": data_uri(image)}, {"type": "input_text", "text": args.question}]
        result["image"] = await turn(connection, question)
        result["error"] = await wrong_request(connection)
        result["after_error"] = await turn(connection, [{"type": "input_text", "text": "Are you still there?"}])
    if args.expect.lower() not in result["image"]["text"].lower():
        raise Wrong(f"the answer about the image does not say {args.expect!r}: {result['image']['text']!r}")
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--model", default="sightline")
    parser.add_argument("--key", default="none")
    parser.add_argument("--image", type=pathlib.Path)
    parser.add_argument("--question", default="What colours do you see?")
    parser.add_argument("--expect", default="red", help="a word the answer about the image must hold")
    try:
        print(json.dumps(asyncio.run(main(parser.parse_args())), indent=2))
    except Wrong as wrong:
        sys.exit(f"wrong: {wrong}")
    except OSError as error:
        print(f"cannot reach the server: {error}", file=sys.stderr)
        sys.exit(2)
