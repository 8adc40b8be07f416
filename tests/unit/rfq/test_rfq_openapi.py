"""docs/openapi/rfq.yaml says what the server does: its routes, its messages, its statuses."""

from typing import Any

import orjson
import yaml
from aiohttp import ClientSession

from bot.errors import DealerLedgerError
from bot.rfq import messages
from bot.rfq.messages import Code, DealerMessage, RefusalMessage, parse
from bot.rfq.server import DECLINED, STATUS, DealerServer, ServerOptions
from scripts.export_openapi import MESSAGES, TARGET, text
from tests.support.dealing import a_dealer, asked
from tests.support.rfq import DOMAIN, ENGINE

DOCUMENT: dict[str, Any] = yaml.safe_load(TARGET.read_text())
PATHS = DOCUMENT["paths"]
QUOTES = "/v1/quotes"


def a_body(**changes: Any) -> bytes:
    message = messages.request_message(asked(account=b"\xb0" * 20), DOMAIN.chain_id, ENGINE)
    return orjson.dumps(message.model_dump() | changes)


def test_the_file_is_what_the_routes_and_messages_make_of_it() -> None:
    assert TARGET.read_text() == text(), "run scripts/export_openapi.py"


def test_the_paths_are_the_servers_routes() -> None:
    routes = DealerServer(a_dealer()).application().router.routes()
    served = {(route.resource.canonical, route.method) for route in routes if route.resource}
    documented = {(path, method.upper()) for path, methods in PATHS.items() for method in methods}
    assert {route for route in served if route[1] != "HEAD"} == documented


def test_every_code_is_documented_under_its_status() -> None:
    responses = PATHS[QUOTES]["post"]["responses"]
    for code in Code:
        assert code.value in responses[str(STATUS.get(code, DECLINED))]["description"]
    assert DOCUMENT["components"]["schemas"]["Code"]["enum"] == [code.value for code in Code]


def test_every_message_has_its_schema_and_every_reference_leads_somewhere() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert {message.__name__ for message in MESSAGES} <= set(schemas)
    for name, schema in schemas.items():
        if name != "Code":
            assert schema["additionalProperties"] is False
    found = orjson.dumps(DOCUMENT).decode().split("#/components/schemas/")[1:]
    assert {reference.split('"')[0] for reference in found} <= set(schemas)


async def test_what_the_server_answers_is_documented() -> None:
    class Failing:
        def __init__(self) -> None:
            self._dealer = a_dealer()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._dealer, name)

        async def quote(self, _request: Any) -> Any:
            raise DealerLedgerError("ledger", "full")

    failing: Any = Failing()
    bodies = {400: b"{", 409: a_body(chain_id=1), 413: b" " * (messages.MAX_BODY + 1), 503: a_body()}
    options = ServerOptions(port=0)
    async with DealerServer(failing, options).running() as port, ClientSession() as session:
        url = f"http://127.0.0.1:{port}"
        for status, body in bodies.items():
            async with session.post(url + QUOTES, data=body) as response:
                assert response.status == status
                assert str(status) in PATHS[QUOTES]["post"]["responses"]
                assert response.content_type == "application/json"
                parse(RefusalMessage, await response.read())
        async with session.get(f"{url}/v1/dealer") as response:
            parse(DealerMessage, await response.read())
