"""What the strategy decides, and why not otherwise.

Values are WAD quote units, prices WAD quote units per whole token, amounts token units.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.domain.engine import Holding
from bot.strategy.outlook import AccountOutlook, Outlook
from bot.strategy.quotes import OpenQuote


class Kind(StrEnum):
    """What can be done to an account."""

    KICK = "kick"
    """Flag it, or start legs that do not run yet."""
    KICK_SWAP = "kick_swap"
    """Flag it, and let the engine sell through pools in the same call, for tip and chip."""
    REDO_SWAP = "redo_swap"
    """The same where its auction has lapsed."""
    REDO = "redo"
    """Start its lapsed auction again."""
    CLEAR = "clear"
    """End the auction of an account that is healthy again."""
    NET = "net"
    """Repay debt with collateral of the same asset."""
    SWAP = "swap"
    """Let the engine sell through pools, for the chip."""
    TAKE = "take"
    """Buy at the reserve and sell in a pool, for the difference and the chip."""
    LAPSE = "lapse"
    """Make an auction lapse because the oracle refuses a price, so that its reserves stop falling."""
    END = "end"
    """Write off what is left of an auction that nobody settled, and forfeit its collateral."""
    MARK = "mark"
    """Bring the deficit that an account is expected to leave up to date."""
    POKE = "poke"
    """Have the depth of an asset's market read."""
    FILL = "fill"
    """Let a dealer buy at its firm quote, for the chip."""
    DELEVERAGE = "deleverage"
    """Repay a protected account's debt against collateral before it can be liquidated, for the fee."""


class Reason(StrEnum):
    """Why a candidate lost."""

    HALTED = "halted"
    """Liquidations are halted."""
    COOLING_OFF = "cooling_off"
    """The account borrowed or withdrew in this block."""
    LEG_MISSING = "leg_missing"
    """The collateral's reserve does not run."""
    ROUTE_CLOSED = "route_closed"
    """The venue is not allowed, or the flash taker does not serve this keeper."""
    NO_POOL = "no_pool"
    """No pool trades the pair, or the one there has no liquidity."""
    RESERVE_ABOVE_MARKET = "reserve_above_market"
    """The pool pays less than the reserve, even for the first unit."""
    OFF_ORACLE = "off_oracle"
    """The pool's mean price of the last minutes is too far from the oracle's for the engine to sell there."""
    SLIPPAGE = "slippage"
    """Within the slippage limit and above the reserve the pool takes less than the smallest sale allowed."""
    BUDGET = "budget"
    """A release budget is empty: the market has not yet taken what was sold before."""
    DEAR_CHOICE = "dear_choice"
    """Another running collateral restores the account's health at a much lower cost."""
    DUST = "dust"
    """What the pool takes would leave dust."""
    EMPTY = "empty"
    """A side of the settlement rounds to nothing."""
    UNPROFITABLE = "unprofitable"
    """Revenue after gas is below the minimum."""
    WAITING_PAYS = "waiting_pays"
    """The same settlement is expected to bring more a block later, rivals and the account's risk weighed."""
    OUTBID = "outbid"
    """Another candidate for the same account brings more."""
    CONTAINED = "contained"
    """It is the first of several sales that are made in one call."""
    QUOTE_VOID = "quote_void"
    """The quote is spent, expired, of another auction, or for another filler."""
    QUOTE_BELOW_RESERVE = "quote_below_reserve"
    """The dealer pays less than the reserve."""
    QUOTE_TOO_SMALL = "quote_too_small"
    """What the account needs, or the dealer can pay, is less than the quote's smallest fill."""
    MARKET_PAYS = "market_pays"
    """A pool pays what the lapsed auction asked last, so that a new one loses less than ending it."""
    MARKET_GONE = "market_gone"
    """No pool pays what the lapsed auction asked last, so that a new one would only take its time."""
    NOT_PROTECTED = "not_protected"
    """The owner's terms have expired, or the contract is not its operator."""
    DD_ABOVE_MIN = "dd_above_min"
    """Neither the distance to default nor a scenario is below what the owner stated."""
    COLLATERAL_KEPT = "collateral_kept"
    """The owner does not let this collateral be sold."""
    OWNERS_BOUND = "owners_bound"
    """What the owner's bounds leave, or the target needs, is less than its least sale."""
    FEE_BELOW_COST = "fee_below_cost"
    """The fee does not pay for the pool and the gas."""
    BLOCK_FULL = "block_full"
    """The block's actions went to more urgent accounts."""


@dataclass(frozen=True, slots=True)
class Way:
    """A share of a sale and the pools that it takes in turn.

    Parameters
    ----------
    weight_bps : int
        Share of the amount; those of a route add up to 10,000.
    assets : tuple of int
        Asset ids from what is sold to what is bought.
    fees : tuple of int
        Fee of the pool between each two of them, in pips.
    """

    weight_bps: int
    assets: tuple[int, ...]
    fees: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do on chain.

    Parameters
    ----------
    kind : Kind
        What.
    account : bytes
        To whom, 20 bytes.
    collateral_ids : tuple of int
        The collateral sold, or those whose legs are to start; for a net, the asset.
    debt_id : int or None
        The debt repaid by a settlement.
    max_seized : int
        Upper limit of the collateral sold; of a deleveraging, of the debt repaid.
    limit_price : int
        Per whole collateral token: lower limit of a swap's price, upper limit of a take's reserve.
    route : tuple of Way
        The pools sold through; one way through one pool for a take.
    min_profit : int
        Least profit of a take or a deleveraging, units of the debt asset.
    quote : OpenQuote or None
        What a fill is made on.
    started : tuple of int
        Collaterals whose legs are started in the same call, before the sale.
    further : tuple of Action
        Further sales of the account in the same call, each after the ones before it.
    writes_off : bool
        Whether it cancels debt that nobody pays, for which the insurance fund is asked.
    """

    kind: Kind
    account: bytes
    collateral_ids: tuple[int, ...] = ()
    debt_id: int | None = None
    max_seized: int = 0
    limit_price: int = 0
    route: tuple[Way, ...] = ()
    min_profit: int = 0
    quote: OpenQuote | None = None
    started: tuple[int, ...] = ()
    further: tuple["Action", ...] = ()
    writes_off: bool = False

    @property
    def label(self) -> str:
        """What it does in a word: its kind, and how many sales it makes where it makes several."""
        return f"{self.kind.value}_{len(self.further) + 1}" if self.further else self.kind.value


@dataclass(frozen=True, slots=True)
class Booking:
    """One settlement of an action, as it is expected to be booked.

    Parameters
    ----------
    collateral_id, debt_id : int
        The pair.
    seized, payment, repaid : int
        Collateral sold, what is paid for it, and the part that repays debt.
    reserve_multiplier, realised_multiplier : int
        The reserve, and what the pool or the dealer pays, over the oracle price, WAD.
    revenue, gas_cost : int
        Its part of what the keeper earns, and of what the gas costs.
    tip : int
        Part of the revenue that goes to the kicker, whoever settles.
    """

    collateral_id: int
    debt_id: int
    seized: int
    payment: int
    repaid: int
    reserve_multiplier: int
    realised_multiplier: int
    revenue: int
    gas_cost: int
    tip: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """An action with what it is expected to bring.

    Parameters
    ----------
    action : Action
        What would be done.
    revenue : int
        What the keeper earns before gas.
    gas_cost : int
        What the gas costs.
    seized, payment, repaid : int
        Of its first settlement: collateral sold, what is paid for it, and the part that repays debt.
    reserve_multiplier : int
        The reserve of that collateral over the oracle price, WAD.
    realised_multiplier : int
        What the pool or the dealer pays for it over the oracle price, WAD.
    tip : int
        Part of the revenue that goes to the kicker, whoever settles.
    further : tuple of Booking
        What the further sales of the action are expected to be booked as; in the revenue and the gas too.
    """

    action: Action
    revenue: int
    gas_cost: int
    seized: int = 0
    payment: int = 0
    repaid: int = 0
    reserve_multiplier: int = 0
    realised_multiplier: int = 0
    tip: int = 0
    further: tuple[Booking, ...] = ()

    @property
    def net(self) -> int:
        """Revenue after gas."""
        return self.revenue - self.gas_cost

    @property
    def bookings(self) -> tuple[Booking, ...]:
        """Each of its settlements, in order; empty where it settles nothing."""
        action = self.action
        if action.debt_id is None:
            return ()
        first = Booking(
            action.collateral_ids[0],
            action.debt_id,
            self.seized,
            self.payment,
            self.repaid,
            self.reserve_multiplier,
            self.realised_multiplier,
            self.revenue - sum(booking.revenue for booking in self.further),
            self.gas_cost - sum(booking.gas_cost for booking in self.further),
            self.tip - sum(booking.tip for booking in self.further),
        )
        return (first, *self.further)

    @property
    def alone(self) -> "Candidate":
        """The first of its settlements without the further ones: the best that there is of one."""
        if not self.further:
            return self
        first = self.bookings[0]
        action = replace(self.action, further=())
        earned = {"revenue": first.revenue, "gas_cost": first.gas_cost, "tip": first.tip}
        return replace(self, action=action, further=(), **earned)


@dataclass(frozen=True, slots=True)
class Rejection:
    """A candidate that lost, with the numbers that prove it.

    Parameters
    ----------
    kind : Kind
        What would have been done.
    reason : Reason
        Why not.
    collateral_id, debt_id : int or None
        The pair, where there is one.
    numbers : mapping of str to int
        What the reason rests on.
    route : tuple of Way
        The pools that would have been sold through; empty where it did not come to that.
    """

    kind: Kind
    reason: Reason
    collateral_id: int | None
    debt_id: int | None
    numbers: Mapping[str, int]
    route: tuple[Way, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided on one account.

    Parameters
    ----------
    account : bytes
        20 bytes.
    health : int
        Health factor, WAD.
    collateral_value, debt_value : int
        At oracle prices.
    holdings : tuple of Holding
        What it holds and owes.
    prices, multipliers : mapping of int to int
        By asset id: oracle prices, and the reserves of running legs over them, WAD.
    chosen : Candidate or None
        What is to be done.
    rejected : tuple of Rejection
        Everything else that was considered.
    outlook : AccountOutlook or None
        What was expected of it; None where nothing is estimated.
    """

    account: bytes
    health: int
    collateral_value: int
    debt_value: int
    holdings: tuple[Holding, ...]
    prices: Mapping[int, int]
    multipliers: Mapping[int, int]
    chosen: Candidate | None
    rejected: tuple[Rejection, ...]
    outlook: AccountOutlook | None = None


@dataclass(frozen=True, slots=True)
class Decisions:
    """All that was decided on one head.

    Parameters
    ----------
    block : int
        Height of the head.
    accounts : int
        Accounts that were looked at.
    unpriced : int
        Accounts in debt on which nothing can be decided: the oracle refuses a price.
    decisions : tuple of Decision
        For those that are unhealthy or flagged, most urgent first.
    outlook : Outlook or None
        What is expected of all accounts; None where nothing is estimated.
    """

    block: int
    accounts: int
    unpriced: int
    decisions: tuple[Decision, ...]
    outlook: Outlook | None = None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What is to be done, most urgent account first."""
        return tuple(decision.chosen for decision in self.decisions if decision.chosen is not None)
