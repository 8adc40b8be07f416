"""What a receipt earned: tips and chips of every account of ours, and of nobody else."""

from typing import Any

import pytest

from bot.chain import codec
from bot.protocols.sluice.manifest import Manifest
from bot.protocols.sluice.realised import Payouts
from tests.support.manifests import HOUSE, manifest
from tests.support.replays import log, receipt

WAD = 10**18
MAIN, SECOND, RIVAL = ("0x" + digit * 40 for digit in "123")
PRICES = {0: 2_000 * WAD, 1: None, 2: WAD}
USDC = 2


def settled(settler: str, kicker: str, *, tip: int = 0, chip: int = 0, debt: int = USDC) -> dict[str, Any]:
    names = (
        "epoch",
        "route",
        "multiplierWad",
        "seized",
        "payment",
        "repaid",
        "cancelled",
        "surplus",
        "shares",
    )
    values = dict.fromkeys(names, 0) | {"account": "0x" + "44" * 20, "collateralId": 0, "debtId": debt}
    return log(
        "clearing_house",
        HOUSE,
        "Settled",
        values | {"settler": settler, "kicker": kicker, "tip": tip, "chip": chip},
    )


@pytest.mark.parametrize(
    ("settler", "kicker", "earned"),
    [
        (MAIN, MAIN, 7),
        (SECOND, SECOND, 7),
        (MAIN, SECOND, 7),
        (SECOND, RIVAL, 2),
        (RIVAL, SECOND, 5),
        (RIVAL, RIVAL, 0),
    ],
)
def test_tip_and_chip_of_every_account_of_ours_count(settler: str, kicker: str, earned: int) -> None:
    ours = [bytes.fromhex(address[2:]) for address in (MAIN, SECOND)]
    payouts = Payouts(Manifest.model_validate(manifest()), ours)
    entry = settled(settler, kicker, tip=5 * 10**6, chip=2 * 10**6)
    found = codec.receipt({**receipt(MAIN, [entry]), "blockHash": "0x" + "11" * 32})
    assert payouts.realised(found, PRICES) == earned * WAD
