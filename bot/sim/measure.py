"""Measuring a replay, block by block.

The recorder is given what each block did and how the book stands after it, and keeps what the report needs.
It does no I/O. Values are US dollars unless the name says otherwise: at the market's price in that block, or,
where the name says oracle, at the oracle's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bot.sim.book import AssetTerms
from bot.sim.book_view import BookHealth
from bot.sim.observation import BlockFacts, KeeperTransaction, Settlement

WAD = 10**18
BPS = 10_000.0


@dataclass(frozen=True, slots=True)
class PoolFrame:
    """One pool after a block: price in US dollars, and the 2 % depth on either side."""

    price: float
    depth_selling: float
    depth_buying: float


@dataclass(frozen=True, slots=True)
class BudgetFrame:
    """A release budget after a block: level and capacity in quote units, which are US dollars here."""

    asset_id: int
    selling: bool
    level: float
    capacity: float


@dataclass(frozen=True, slots=True)
class AuctionFrame:
    """One leg of a running auction after a block.

    Parameters
    ----------
    account : str
        Lower case.
    asset_id : int
        Collateral.
    started_at : int
        When its reserve began to run, unix seconds.
    wall, active, elapsed : float
        Seconds since then: all of them, those that its markets let its clock run, and those that the reserve
        has fallen for, which urgency pulls from the second toward the first.
    urgency : float
        u, 0 to 1.
    multiplier : float
        Reserve over the oracle's price.
    """

    account: str
    asset_id: int
    started_at: int
    wall: float
    active: float
    elapsed: float
    urgency: float
    multiplier: float


@dataclass(frozen=True, slots=True)
class Frame:
    """The world after a block.

    Parameters
    ----------
    block, ts : int
        Height and time, unix seconds.
    market, oracle : tuple of float
        US dollars, by asset id.
    pools : tuple of PoolFrame
        In the manifest's order.
    collateral, debt : float
        Of the book, at oracle prices.
    debt_by_band : tuple of float
        Debt by health factor, at oracle prices; the first band is unhealthy debt.
    unhealthy_accounts : int
        Accounts with a health factor below 1.
    shortfall : float
        Debt beyond the collateral of its account, at oracle prices, not yet booked.
    budgets : tuple of BudgetFrame
        Every release budget; none where the mechanism has none.
    auctions : tuple of AuctionFrame
        Every running leg.
    """

    block: int
    ts: int
    market: tuple[float, ...]
    oracle: tuple[float, ...]
    pools: tuple[PoolFrame, ...]
    collateral: float
    debt: float
    debt_by_band: tuple[float, ...]
    unhealthy_accounts: int
    shortfall: float
    budgets: tuple[BudgetFrame, ...] = ()
    auctions: tuple[AuctionFrame, ...] = ()


@dataclass(frozen=True, slots=True)
class Sale:
    """A settlement at the prices of its block.

    Parameters
    ----------
    settlement : Settlement
        As the chain has it.
    ts : int
        Time of its block.
    sold, repaid : float
        Collateral sold and debt repaid.
    given, given_oracle, repaid_oracle : float
        Collateral sold less what was credited back, and debt repaid, at the market's and the oracle's prices.
    slippage_bps : float
        What the sale brought below the oracle's value of what was sold, of the latter.
    deficit : float
        Debt cancelled that nobody paid.
    """

    settlement: Settlement
    ts: int
    sold: float
    repaid: float
    given: float
    given_oracle: float
    repaid_oracle: float
    slippage_bps: float
    deficit: float


@dataclass
class KeeperLedger:
    """What the keeper earned and spent."""

    tips: float = 0.0
    chips: float = 0.0
    profits: float = 0.0
    gas: float = 0.0
    gas_used: int = 0
    reverted: int = 0
    reactions: list[int] = field(default_factory=list)
    unanswered: int = 0

    @property
    def pnl(self) -> float:
        """Tips, chips and profits less gas, US dollars."""
        return self.tips + self.chips + self.profits - self.gas


class Recorder:
    """Keeps what the report needs.

    Parameters
    ----------
    terms : sequence of AssetTerms
        By rising asset id.
    accounts : sequence of str
        Addresses of the book's accounts, in its order.
    keeper : str
        The keeper's address.
    eth_id : int
        Asset whose market price is that of ETH.
    """

    def __init__(
        self, terms: Sequence[AssetTerms], accounts: Sequence[str], keeper: str, eth_id: int
    ) -> None:
        self._terms = terms
        self._addresses = [account.lower() for account in accounts]
        self._known = set(self._addresses)
        self._keeper_address = keeper.lower()
        self._eth_id = eth_id
        self._unhealthy_since: dict[str, int] = {}
        self._answered: set[str] = set()
        self.frames: list[Frame] = []
        self.sales: list[Sale] = []
        self.bad_debt: list[tuple[int, float]] = []
        self.keeper = KeeperLedger()

    def acted(self, block: int, ts: int, facts: BlockFacts, market: Sequence[float]) -> None:
        """Take in what a block did, at the market's prices in it.

        Reverted transactions of the keeper name no account here; `answered` is told of them.
        """
        for settlement in facts.settlements:
            self._sale(ts, settlement, market)
        for write_off in facts.write_offs:
            deficit = self._usd(write_off.asset_id, write_off.deficit, market)
            self.bad_debt.append((block, deficit))
        for transaction in facts.keeper:
            self._spent(transaction, market)
            self.answered(block, transaction.accounts)

    def answered(self, block: int, accounts: Iterable[str]) -> None:
        """Note that a transaction of the keeper in this block was for these accounts."""
        for account in accounts:
            since = self._unhealthy_since.get(account)
            if since is not None and account not in self._answered:
                self._answered.add(account)
                self.keeper.reactions.append(block - since)

    def stands(self, frame: Frame, health: BookHealth) -> None:
        """Take in how the book stands after the block."""
        self.frames.append(frame)
        unhealthy = {self._addresses[index] for index in health.unhealthy.nonzero()[0]}
        for account in unhealthy - self._unhealthy_since.keys():
            self._unhealthy_since[account] = frame.block
        for account in self._unhealthy_since.keys() - unhealthy:
            del self._unhealthy_since[account]
            self.keeper.unanswered += account not in self._answered
            self._answered.discard(account)

    def named_in(self, data: bytes) -> set[str]:
        """Return the accounts of the book whose addresses calldata contains."""
        words = {data[offset + 12 : offset + 32] for offset in range(4, len(data) - 31, 32)}
        return {"0x" + word.hex() for word in words} & self._known

    # ------------------------------------------------------------------------------ internals

    def _usd(self, asset_id: int, amount: int, prices: Sequence[float]) -> float:
        return amount / self._terms[asset_id].unit * prices[asset_id]

    def _sale(self, ts: int, settlement: Settlement, market: Sequence[float]) -> None:
        """Price a settlement, and credit the keeper with its part."""
        collateral_id, debt_id = settlement.collateral_id, settlement.debt_id
        oracle = list(market)
        oracle[collateral_id] = settlement.collateral_price_wad / WAD
        oracle[debt_id] = settlement.debt_price_wad / WAD
        sold = self._usd(collateral_id, settlement.seized, market)
        sold_oracle = self._usd(collateral_id, settlement.seized, oracle)
        sale = Sale(
            settlement=settlement,
            ts=ts,
            sold=sold,
            repaid=self._usd(debt_id, settlement.repaid, market),
            given=sold - self._usd(debt_id, settlement.surplus, market),
            given_oracle=sold_oracle - self._usd(debt_id, settlement.surplus, oracle),
            repaid_oracle=self._usd(debt_id, settlement.repaid, oracle),
            slippage_bps=BPS * (1.0 - self._usd(debt_id, settlement.proceeds, oracle) / sold_oracle),
            deficit=self._usd(debt_id, settlement.deficit, market),
        )
        self.sales.append(sale)
        if sale.deficit:
            self.bad_debt.append((settlement.block, sale.deficit))
        self._earned(sale, market)

    def _earned(self, sale: Sale, market: Sequence[float]) -> None:
        settlement = sale.settlement
        debt_id = settlement.debt_id
        if settlement.kicker == self._keeper_address:
            self.keeper.tips += self._usd(debt_id, settlement.tip, market)
        if settlement.profit is not None and settlement.by_keeper:
            self.keeper.profits += self._usd(debt_id, settlement.profit, market)
        elif settlement.settler == self._keeper_address:
            self.keeper.chips += self._usd(debt_id, settlement.chip, market)
            if settlement.route == "take":
                self.keeper.profits += sale.sold - self._usd(debt_id, settlement.payment, market)

    def _spent(self, transaction: KeeperTransaction, market: Sequence[float]) -> None:
        self.keeper.gas += transaction.fee_wei / WAD * market[self._eth_id]
        self.keeper.gas_used += transaction.gas_used
        self.keeper.reverted += not transaction.succeeded
