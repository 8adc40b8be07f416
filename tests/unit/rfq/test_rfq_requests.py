"""What the keeper asks for, and the desk that its settings make."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from bot.protocols.sluice.manifest import Manifest
from bot.rfq.desk import DealerEntry, DeskSettings, open_desk
from bot.rfq.requests import mids_of, requests_of
from bot.strategy.case import Case
from tests.support.manifests import manifest
from tests.support.rfq import (
    BORROWER,
    HEAD,
    FakeChain,
    Memory,
    a_key,
    a_quote,
    a_request,
    address_of,
    quote_body,
    scripted_dealer,
)
from tests.support.snapshots import KEEPER, USDC, WBTC, WETH, Scene, pool_at


def scene() -> Scene:
    """Two unhealthy auctions, the second worse; one that is healthy, one that was not kicked."""
    made = Scene(pools=[pool_at(200.0, 20_000_000)])
    for collateral, debt in (({"WETH": 10}, 1_700), ({"WETH": 10, "WBTC": 0.1}, 2_600), ({"WETH": 10}, 900)):
        made.auction(made.account(collateral, {"USDC": debt}), list(collateral), age=600)
    made.account({"WETH": 10}, {"USDC": 1_700})
    return made


def test_every_pair_of_an_auction_that_runs_is_asked_for_the_worst_account_first() -> None:
    snapshot = scene().shoot()
    found = requests_of(snapshot)
    assert [(int.from_bytes(r.account), r.collateral_id, r.debt_id) for r in found] == [
        (1, WETH, USDC),
        (1, WBTC, USDC),
        (0, WETH, USDC),
    ]
    assert {request.filler for request in found} == {KEEPER}
    case = Case.of(snapshot, 0)
    assert 0 < found[-1].amount <= case.position(WETH, USDC).collateral
    assert found[-1].fair_price == 200 * 10**6
    assert found[1].fair_price == 8_000 * 10**6 * 10**10


def test_nothing_is_asked_for_nobody_or_while_liquidations_are_halted() -> None:
    made = scene()
    assert requests_of(replace(made.shoot(), keeper=None)) == []
    made.halted = True
    assert requests_of(made.shoot()) == []


def test_a_crash_does_not_flood_the_dealers() -> None:
    made = Scene()
    for _ in range(50):
        made.auction(made.account({"WETH": 10}, {"USDC": 1_700}), ["WETH"], age=600)
    assert len(requests_of(made.shoot(), most=7)) == 7


def test_mid_prices_are_those_of_the_feeds_and_none_where_there_is_none() -> None:
    made = scene()
    made.prices["WBTC"] = None
    assert mids_of(made.shoot()) == {(WETH, USDC): 200 * 10**6, (USDC, WETH): 5 * 10**27}


async def test_a_desk_is_made_of_settings_and_asks() -> None:
    key = a_key()
    listed = Manifest.model_validate(manifest())
    body = quote_body(a_quote(key), key)  # for another engine than the manifest's
    memory, address = Memory(), "0x" + address_of(key).hex()
    async with scripted_dealer(lambda _: body) as url:
        entries = tuple(
            DealerEntry.model_validate({"address": address, "url": url, "stream": stream})
            for stream in (False, True)
        )
        async with open_desk(DeskSettings(dealers=entries), listed, FakeChain(), memory) as desk:
            assert await desk.ask([a_request(account=BORROWER)], HEAD) == {}
    (score,) = memory.scores.values()
    assert score.faults == 1


@pytest.mark.parametrize(
    "entry",
    [
        {"address": "0x12", "url": "http://x"},
        {"address": "0x" + "11" * 20, "url": "ws://x"},
        {"address": "0x" + "11" * 20, "url": "nonsense"},
        {"address": "0x" + "11" * 20},
        {"address": "0x" + "11" * 20, "url": "http://x", "more": 1},
    ],
)
def test_a_dealer_that_cannot_be_asked_is_refused(entry: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DealerEntry.model_validate(entry)


def test_a_url_that_holds_a_key_is_a_secret() -> None:
    address = "0x" + "11" * 20
    entries = [{"address": address, "url": url} for url in ("http://a:1/", "https://b/key")]
    settings = DeskSettings.model_validate({"dealers": entries})
    assert settings.secrets() == ["https://b/key"]
    assert "key" not in repr(settings)
