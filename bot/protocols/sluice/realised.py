"""What a transaction of ours earned, read from its receipt."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from bot import abi
from bot.domain.wad import mul_div_down
from bot.ports import Receipt
from bot.protocols.events import EventDecoder
from bot.protocols.sluice.manifest import Manifest

_SETTLED: Final = EventDecoder(abi.load("clearing_house"), ["Settled"])
_TAKEN: Final = EventDecoder(abi.load("flash_taker"), ["Taken"])
_DELEVERAGED: Final = EventDecoder(abi.load("protection"), ["Deleveraged"])
_PROTECTED: Final = EventDecoder(abi.load("flash_protector"), ["Protected"])


class Payouts:
    """Adds up tips, chips, the flash taker's profits and the fees of deleveragings.

    Parameters
    ----------
    manifest : Manifest
        Where the contracts are.
    signers : collection of bytes
        Who is credited, 20 bytes each: every account of ours that sends.
    """

    def __init__(self, manifest: Manifest, signers: Collection[bytes]) -> None:
        self._house: Final = manifest.clearing_house.lower()
        self._taker: Final = manifest.flash_taker.lower()
        self._protection: Final = (manifest.protection or "").lower()
        self._protector: Final = (manifest.flash_protector or "").lower()
        self._units: Final = {asset.id: 10**asset.decimals for asset in manifest.assets}
        self._signers: Final = frozenset(signers)

    def realised(self, receipt: Receipt, prices: Mapping[int, int | None]) -> int | None:
        """Return what the receipt earned, WAD quote units before gas.

        A tip that another settler's transaction paid us is not in our receipts. None if a settlement's debt
        asset has no price.

        Parameters
        ----------
        receipt : Receipt
            Of our transaction.
        prices : mapping of int to int or None
            WAD quote units per whole token, by asset id.
        """
        earned: dict[int, int] = {}
        debt_id = 0
        for log in receipt.logs:
            emitter = log.address.lower()
            if emitter == self._house and (settled := _SETTLED.decode(log)):
                debt_id = settled.fields["debtId"]
                earned[debt_id] = earned.get(debt_id, 0) + self._credited(settled.fields)
            elif emitter == self._taker and (taken := _TAKEN.decode(log)):
                earned[debt_id] = earned.get(debt_id, 0) + taken.fields["profit"]
            elif emitter == self._protection and (sold := _DELEVERAGED.decode(log)):
                debt_id = sold.fields["debtId"]
            elif emitter == self._protector and (kept := _PROTECTED.decode(log)):
                ours = kept.fields["recipient"] in self._signers
                earned[debt_id] = earned.get(debt_id, 0) + (kept.fields["profit"] if ours else 0)
        total = 0
        for asset_id, paid in earned.items():
            price = prices.get(asset_id)
            if price is None or asset_id not in self._units:
                return None
            total += mul_div_down(paid, price, self._units[asset_id])
        return total

    def _credited(self, fields: Mapping[str, Any]) -> int:
        tip = fields["tip"] if fields["kicker"] in self._signers else 0
        chip = fields["chip"] if fields["settler"] in self._signers else 0
        return int(tip + chip)
