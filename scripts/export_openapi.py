"""Writes ``docs/openapi/rfq.yaml`` from the dealer's routes and messages.

The schemas are those that the server validates by, so the document cannot say anything else. ``--check`` only
compares, and ends with status 1 where the file is out of date.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic.json_schema import models_json_schema

from bot.rfq import messages
from bot.rfq.client import DEALER_PATH, QUOTES_PATH, STREAM_PATH
from bot.rfq.messages import (
    DealerMessage,
    RefusalMessage,
    RequestMessage,
    SignedMessage,
    StreamReply,
    StreamRequest,
)
from bot.rfq.server import DECLINED, STATUS

TARGET = Path(__file__).resolve().parent.parent / "docs" / "openapi" / "rfq.yaml"
MESSAGES = (DealerMessage, RefusalMessage, RequestMessage, SignedMessage, StreamReply, StreamRequest)

_ABOUT = (
    "A keeper asks for a firm quote on collateral of an account whose auction runs; a dealer answers with "
    "one, signed (EIP-712) and short-lived, or with a refusal. There is nothing to accept: the keeper fills "
    "the quote on chain, with `LiquidationEngine.fill`, or lets it run out. docs/rfq.md tells what each side "
    "checks.\n\n"
    "Integers that may pass 2**53 are decimal strings, addresses and signatures hex. An address in mixed "
    "case must carry its checksum. A member too many is an error."
)


def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sluice requests for quotes",
            "version": str(messages.VERSION),
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "http://127.0.0.1:8600", "description": "A dealer on this machine."}],
        "paths": {DEALER_PATH: _dealer(), QUOTES_PATH: _quotes(), STREAM_PATH: _stream()},
        "components": {"schemas": _schemas()},
    }


def _dealer() -> dict[str, Any]:
    return {
        "get": {
            "operationId": "dealer",
            "summary": "Who deals here, and where its quotes hold.",
            "responses": {"200": _answer("The dealer.", DealerMessage)},
        }
    }


def _quotes() -> dict[str, Any]:
    refusals = {
        str(status): _answer(f"Refused: {', '.join(codes)}.", RefusalMessage)
        for status, codes in sorted(_codes_by_status().items())
    }
    return {
        "post": {
            "operationId": "quote",
            "summary": "Ask for a firm quote.",
            "requestBody": {
                "required": True,
                "description": f"At most {messages.MAX_BODY} bytes.",
                "content": {"application/json": {"schema": _reference(RequestMessage)}},
            },
            "responses": {"200": _answer("A firm quote.", SignedMessage)} | refusals,
        }
    }


def _stream() -> dict[str, Any]:
    return {
        "get": {
            "operationId": "stream",
            "summary": "Ask for many quotes over one WebSocket.",
            "description": "Each frame sent is a `StreamRequest`, each frame received a `StreamReply` with "
            f"the same id; a frame has at most {messages.MAX_BODY} bytes. A frame that is no request is "
            "answered with a refusal without an id.",
            "responses": {
                "101": {"description": "The WebSocket opens."},
                "429": _answer("Refused: busy.", RefusalMessage),
            },
            "x-sent": _reference(StreamRequest),
            "x-received": _reference(StreamReply),
        }
    }


def _codes_by_status() -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for code in messages.Code:
        found.setdefault(STATUS.get(code, DECLINED), []).append(code.value)
    return found


def _answer(description: str, message: type) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": _reference(message)}},
    }


def _reference(message: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{message.__name__}"}


def _schemas() -> dict[str, Any]:
    _, schema = models_json_schema(
        [(message, "validation") for message in MESSAGES], ref_template="#/components/schemas/{model}"
    )
    definitions: dict[str, Any] = _plain(schema["$defs"])
    return definitions


def _plain(node: Any) -> Any:
    """Return a schema without the titles that only repeat names, and with the first line of descriptions."""
    if isinstance(node, dict):
        return {
            name: item.split("\n\n")[0] if name == "description" and isinstance(item, str) else _plain(item)
            for name, item in node.items()
            if not (name == "title" and isinstance(item, str))
        }
    return [_plain(item) for item in node] if isinstance(node, list) else node


def text() -> str:
    """Return the document as YAML."""
    return yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=110)


def main() -> int:
    """Write the file, or with ``--check`` compare it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare only")
    arguments = parser.parse_args()
    current = TARGET.read_text() if TARGET.exists() else ""
    if current == text():
        return 0
    if arguments.check:
        print(f"{TARGET.name} is out of date: run scripts/export_openapi.py", file=sys.stderr)
        return 1
    TARGET.write_text(text())
    print(f"wrote {TARGET.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
