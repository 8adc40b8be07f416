"""What happened in a block, from its receipts alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from bot import abi
from bot.chain import codec
from bot.ports import Log
from bot.protocols.events import Event, EventDecoder
from bot.protocols.sluice.manifest import Manifest

ROUTES = ("take", "swap", "fill")
"""Names of `ILiquidationEngine.Route`, by its number."""

ACCOUNT_EVENTS: Final = (
    "CollateralDeposited",
    "CollateralWithdrawn",
    "Borrowed",
    "Repaid",
    "Netted",
    "Settled",
    "DebtWrittenOff",
    "CollateralForfeited",
)
_HOUSE = EventDecoder(abi.load("clearing_house"), ACCOUNT_EVENTS)
_ENGINE = EventDecoder(abi.load("liquidation_engine"), ["Kicked", "Redone", "LegStarted"])
_TAKER = EventDecoder(abi.load("flash_taker"), ["Taken"])
_FEED = EventDecoder(abi.load("aggregator"), ["AnswerUpdated"])


LegKey: TypeAlias = tuple[str, int]
"""A leg of a running auction: account, lower case, and asset id of the collateral."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """One settlement, amounts in token units, as the clearing house booked it.

    Parameters
    ----------
    block : int
        Height.
    account : str
        Lower case, with ``0x``.
    route : str
        ``"take"``, ``"swap"`` or ``"fill"``.
    collateral_id, debt_id : int
        Assets.
    seized : int
        Collateral sold.
    payment, repaid, surplus, tip, chip : int
        In the debt asset.
    deficit : int
        Debt cancelled that nobody paid.
    collateral_price_wad, debt_price_wad : int
        Oracle prices at the settlement.
    kicker, settler : str
        Who was credited the tip and the chip.
    by_keeper : bool
        Whether the keeper sent the transaction.
    profit : int or None
        What the flash taker kept, in the debt asset, if it was the settler.
    """

    block: int
    account: str
    route: str
    collateral_id: int
    debt_id: int
    seized: int
    payment: int
    repaid: int
    surplus: int
    tip: int
    chip: int
    deficit: int
    collateral_price_wad: int
    debt_price_wad: int
    kicker: str
    settler: str
    by_keeper: bool
    profit: int | None

    @property
    def proceeds(self) -> int:
        """What the sale of the collateral brought, debt asset, token units.

        A swap's payment is the sale. A flash taker pays the payment less its chip out of the sale and keeps
        its profit. What another taker gets elsewhere is not seen: its payment stands for it.
        """
        return self.payment if self.profit is None else self.payment - self.chip + self.profit


@dataclass(frozen=True, slots=True)
class WriteOff:
    """Debt that was booked as deficit outside of a settlement."""

    block: int
    account: str
    asset_id: int
    deficit: int


@dataclass(frozen=True, slots=True)
class KeeperTransaction:
    """A transaction of the keeper that was mined.

    Parameters
    ----------
    transaction_hash : str
        With ``0x``.
    succeeded : bool
        False if it reverted.
    gas_used : int
        Gas.
    fee_wei : int
        Gas used times the price paid.
    accounts : frozenset of str
        Accounts that its events name; empty if it reverted.
    """

    transaction_hash: str
    succeeded: bool
    gas_used: int
    fee_wei: int
    accounts: frozenset[str]


@dataclass
class BlockFacts:
    """What a block did."""

    settlements: list[Settlement] = field(default_factory=list)
    write_offs: list[WriteOff] = field(default_factory=list)
    keeper: list[KeeperTransaction] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    legs: list[LegKey] = field(default_factory=list)


class Observer:
    """Reads receipts.

    Parameters
    ----------
    manifest : Manifest
        Where the contracts are.
    keeper : str
        The keeper's address.
    prices : sequence of int
        Oracle prices before the first block, WAD quote units, by asset id.
    """

    def __init__(self, manifest: Manifest, keeper: str, prices: Sequence[int]) -> None:
        self._keeper = keeper.lower()
        self._prices = dict(enumerate(prices))
        self._feeds = {asset.feed.lower(): asset for asset in manifest.assets}
        self._decoders: Mapping[str, EventDecoder] = {
            manifest.clearing_house.lower(): _HOUSE,
            manifest.liquidation_engine.lower(): _ENGINE,
            manifest.flash_taker.lower(): _TAKER,
        }

    def observe(self, receipts: Iterable[Any]) -> BlockFacts:
        """Return what the receipts of one block tell.

        Receipts come in the order of the chain: a settlement is at the prices of the answers before it.
        """
        facts = BlockFacts()
        for receipt in receipts:
            self._answers(receipt)
            events = self._events(receipt)
            accounts = frozenset(text(event.fields["account"]) for event in events)
            by_keeper = str(receipt["from"]).lower() == self._keeper
            if by_keeper:
                facts.keeper.append(_keeper_transaction(receipt, accounts))
            if not events:
                continue
            block = int(receipt["blockNumber"], 16)
            facts.touched |= accounts
            facts.settlements += self._settlements(block, events, by_keeper)
            facts.legs += [
                (text(e.fields["account"]), e.fields["assetId"]) for e in _named(events, "LegStarted")
            ]
            facts.write_offs += [
                WriteOff(block, text(e.fields["account"]), e.fields["assetId"], e.fields["deficit"])
                for e in _named(events, "DebtWrittenOff")
            ]
        return facts

    def _answers(self, receipt: Mapping[str, Any]) -> None:
        """Follow the oracle's prices; a transaction that publishes one settles nothing."""
        for entry in receipt["logs"]:
            asset = self._feeds.get(str(entry["address"]).lower())
            event = _FEED.decode(codec.log(entry)) if asset is not None else None
            if asset is not None and event is not None:
                self._prices[asset.id] = event.fields["current"] * 10 ** (18 - asset.feed_decimals)

    def _settlements(self, block: int, events: Sequence[Event], by_keeper: bool) -> list[Settlement]:
        """Join what clearing house and flash taker say of each settlement of a transaction."""
        taken = _named(events, "Taken")
        return [
            _settlement(block, event.fields, self._prices, taken, by_keeper)
            for event in _named(events, "Settled")
        ]

    def _events(self, receipt: Mapping[str, Any]) -> list[Event]:
        """Decode the events of Sluice in a receipt, in order."""
        events = []
        for entry in receipt["logs"]:
            decoder = self._decoders.get(str(entry["address"]).lower())
            if decoder is not None:
                log: Log = codec.log(entry)
                event = decoder.decode(log)
                if event is not None:
                    events.append(event)
        return events


def text(address: bytes) -> str:
    """Return an address as lower-case text."""
    return "0x" + address.hex()


def _named(events: Sequence[Event], name: str) -> list[Event]:
    return [event for event in events if event.name == name]


def _keeper_transaction(receipt: Mapping[str, Any], accounts: frozenset[str]) -> KeeperTransaction:
    gas_used = int(receipt["gasUsed"], 16)
    return KeeperTransaction(
        str(receipt["transactionHash"]),
        int(receipt["status"], 16) == 1,
        gas_used,
        gas_used * int(receipt["effectiveGasPrice"], 16),
        accounts,
    )


def _settlement(
    block: int, house: Mapping[str, Any], prices: Mapping[int, int], taken: list[Event], by_keeper: bool
) -> Settlement:
    kept = [
        e for e in taken if e.fields["account"] == house["account"] and e.fields["seized"] == house["seized"]
    ]
    return Settlement(
        block=block,
        account=text(house["account"]),
        route=ROUTES[house["route"]],
        collateral_id=house["collateralId"],
        debt_id=house["debtId"],
        seized=house["seized"],
        payment=house["payment"],
        repaid=house["repaid"],
        surplus=house["surplus"],
        tip=house["tip"],
        chip=house["chip"],
        deficit=max(house["cancelled"] - house["repaid"], 0),
        collateral_price_wad=prices[house["collateralId"]],
        debt_price_wad=prices[house["debtId"]],
        kicker=text(house["kicker"]),
        settler=text(house["settler"]),
        by_keeper=by_keeper,
        profit=kept[0].fields["profit"] if kept else None,
    )
