"""What a transaction of ours earned, read from its receipt."""

from collections.abc import Mapping
from typing import Any, Final

from bot import abi
from bot.domain.wad import mul_div_down
from bot.ports import Receipt
from bot.protocols.events import EventDecoder
from bot.protocols.sluice.manifest import Manifest

_SETTLED: Final = EventDecoder(abi.load("liquidation_engine"), ["Settled"])
_BOOKED: Final = EventDecoder(abi.load("clearing_house"), ["SettlementBooked"])
_TAKEN: Final = EventDecoder(abi.load("flash_taker"), ["Taken"])


class Payouts:
    """Adds up tips, chips and the flash taker's profits.

    Parameters
    ----------
    manifest : Manifest
        Where the contracts are.
    signer : bytes or None
        Who is credited, 20 bytes.
    """

    def __init__(self, manifest: Manifest, signer: bytes | None) -> None:
        self._house: Final = manifest.clearing_house.lower()
        self._engine: Final = manifest.liquidation_engine.lower()
        self._taker: Final = manifest.flash_taker.lower()
        self._units: Final = {asset.id: 10**asset.decimals for asset in manifest.assets}
        self._signer: Final = signer

    def realised(self, receipt: Receipt) -> int | None:
        """Return what the receipt earned, WAD quote units before gas, at the prices of its settlements.

        A tip that another settler's transaction paid us is not in our receipts. None if a settlement's debt
        asset is not in the manifest.
        """
        earned: dict[int, int] = {}
        prices: dict[int, int] = {}
        debt_id = 0
        for log in receipt.logs:
            emitter = log.address.lower()
            if emitter == self._house and (booked := _BOOKED.decode(log)):
                debt_id = booked.fields["debtId"]
                earned[debt_id] = earned.get(debt_id, 0) + self._credited(booked.fields)
            elif emitter == self._engine and (settled := _SETTLED.decode(log)):
                prices[settled.fields["debtId"]] = settled.fields["debtPrice"]
            elif emitter == self._taker and (taken := _TAKEN.decode(log)):
                earned[debt_id] = earned.get(debt_id, 0) + taken.fields["profit"]
        if any(asset not in prices or asset not in self._units for asset in earned):
            return None
        values = (mul_div_down(paid, prices[asset], self._units[asset]) for asset, paid in earned.items())
        return sum(values)

    def _credited(self, fields: Mapping[str, Any]) -> int:
        tip = fields["tip"] if fields["kicker"] == self._signer else 0
        chip = fields["chip"] if fields["settler"] == self._signer else 0
        return int(tip + chip)
