"""The live view: what it shows of a head, and that it outlives a node that goes away."""

from dataclasses import replace

import pytest
from textual.widgets import DataTable, Static

from bot.cli.top import Top, action_rows, auction_rows, headline_of, risk_rows, route_rows
from bot.domain.wad import WAD
from bot.errors import EndpointUnreachableError
from bot.ops.limits import Limits
from bot.ports import Moved, Outcome, Spent, Transaction
from bot.watching import LimitUse, Seen, used_of
from tests.support.keeper import a_head, an_intent
from tests.support.snapshots import NOW, Scene, pool_at

KEY = "sluice:0x00:0x01:take"
DONE = Transaction(1, an_intent(KEY), None, 99, Outcome.INCLUDED, block_number=100, realised_profit=5 * WAD)


def scene() -> Scene:
    made = Scene(pools=[pool_at(202.0, 5e6)])
    made.account({"WETH": 100}, {"USDC": 10_000})
    sick = made.account({"WETH": 100}, {"USDC": 17_000})
    made.account({"WETH": 100}, {"USDC": 16_000})
    made.account({"WETH": 100}, {})
    made.auction(sick, ["WETH"], age=600)
    return made


class Glass:
    """What the view looks through; a head a look, or an error."""

    def __init__(self) -> None:
        self.block = 100
        self.error: EndpointUnreachableError | None = None

    async def look(self) -> Seen:
        if self.error is not None:
            raise self.error
        self.block += 1
        snapshot = replace(scene().shoot(), block=self.block)
        limits = (LimitUse("gas", "0.1", "1"),)
        return Seen(a_head(self.block), snapshot, (DONE,), "halted by operator: a look", limits)


def cells(view: Top, name: str) -> list[list[str]]:
    table = view.query_one(f"#{name}", DataTable)
    return [[str(cell) for cell in table.get_row_at(row)] for row in range(table.row_count)]


async def test_the_view_shows_every_part_and_follows_the_chain() -> None:
    view = Top(Glass(), interval=60.0)  # type: ignore[arg-type]
    async with view.run_test(size=(140, 50)) as pilot:
        assert [row[1] for row in cells(view, "risk")] == ["0.9765", "1.0375", "1.6600"]
        assert cells(view, "auctions")[0][2] == "6600 s"
        assert cells(view, "routes") == [["WETH/USDC", "0.05 %", "202", "+100 bp"]]
        assert cells(view, "actions") == [["100", "0xborr…ower", "take", "included", "5.00"]]
        assert cells(view, "limits") == [["gas", "0.1", "1"]]
        assert "halted by operator" in str(view.query_one("#headline", Static).render())
        await pilot.press("r")
        assert [row[0] for row in cells(view, "blocks")] == ["102", "101"]
        assert cells(view, "blocks")[0][2] == "1"


async def test_a_node_that_is_away_is_said_and_asked_again() -> None:
    glass = Glass()
    view = Top(glass, interval=60.0)  # type: ignore[arg-type]
    async with view.run_test() as pilot:
        glass.error = EndpointUnreachableError("http://node", "gone")
        await pilot.press("r")
        assert "http://node" in str(view.query_one("#headline", Static).render())
        assert len(cells(view, "risk")) == 3
        glass.error = None
        await pilot.press("r")
        assert "block 102" in str(view.query_one("#headline", Static).render())
        await pilot.press("q")
    assert view.return_code == 0


def test_a_reserve_decays_and_a_lapsed_auction_says_so() -> None:
    made = scene()
    before = next(auction_rows(made.shoot()))
    after = next(auction_rows(replace(made.shoot(), timestamp=NOW + 90)))
    assert float(str(after[1]).split()[1]) < float(str(before[1]).split()[1])
    assert next(auction_rows(replace(made.shoot(), timestamp=NOW + 7_200)))[2] == "lapsed"


def test_a_refused_price_is_said_and_its_accounts_and_routes_stay_quiet() -> None:
    made = scene()
    made.prices["WETH"] = None
    snapshot = made.shoot()
    assert "WETH refused" in str(headline_of(snapshot, None))
    assert list(risk_rows(snapshot, 10)) == []
    assert next(route_rows(snapshot))[3] == ""
    assert next(auction_rows(snapshot))[1] == "no price"


def test_only_so_many_accounts_are_listed() -> None:
    assert len(list(risk_rows(scene().shoot(), 2))) == 2
    assert next(action_rows([replace(DONE, block_number=None, realised_profit=None)]))[0] == "99"


@pytest.mark.parametrize("most", [None, 10 * WAD])
def test_limits_that_are_set_are_shown_with_what_is_used(most: int | None) -> None:
    spent = [
        Spent(1, "0xa", (Moved("WETH", 4 * WAD), Moved("WBTC", 2 * WAD)), WAD // 100, 1 * WAD, True),
        Spent(2, "0xa", (Moved("WBTC", 1 * WAD),), WAD // 100, 0, True),
        Spent(3, "0xb", (Moved("WETH", 2 * WAD),), WAD // 100, 0, False),
    ]
    limits = Limits(loss=most, gas=most, account_value=most, asset_value=most)
    found = {use.name: use.used for use in used_of(limits, spent, 200 * WAD, 2)}
    if most is None:
        assert found == {}
        return
    assert found == {
        "loss": "5",
        "gas": "0.03",
        "value of the most used account": "7",
        "value of the most used asset": "6",
    }
    assert used_of(Limits(failures=3), spent, 0, 2) == (LimitUse("failures in a row", "2", "3"),)
