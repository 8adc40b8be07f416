"""A recorded decision in words: what was known, what was weighed, and why the rest lost.

Reads decisions as the ledger keeps them, plain JSON in which integers from 2**53 on are strings, so that what
an older or a newer keeper wrote can be told too: what has no words here is shown under its own name.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from bot.domain.engine import UNBOUNDED
from bot.domain.wad import WAD
from bot.strategy.decision import Kind, Reason

Plain = Mapping[str, object]
"""A JSON object."""

KINDS: Final[Mapping[str, str]] = {
    Kind.KICK: "start the auction",
    Kind.KICK_SWAP: "start the auction and let the engine sell",
    Kind.REDO_SWAP: "start the lapsed auction again and let the engine sell",
    Kind.REDO: "start the lapsed auction again",
    Kind.CLEAR: "end the auction of a healthy account",
    Kind.NET: "repay debt with the same asset",
    Kind.LAPSE: "make the auction lapse: a price is refused",
    Kind.END: "write off what nobody bought",
    Kind.MARK: "note the deficit to be expected",
    Kind.POKE: "have the depth of the asset's market read",
    Kind.SWAP: "let the engine sell",
    Kind.TAKE: "buy at the reserve, sell in the pool",
    Kind.FILL: "let a dealer buy at its quote",
    Kind.DELEVERAGE: "deleverage early, as the owner asked",
}
"""What each kind of action does."""

REASONS: Final[Mapping[str, str]] = {
    Reason.HALTED: "liquidations are halted: nobody can settle until they resume",
    Reason.COOLING_OFF: "the account borrowed or withdrew in this block, and may be flagged from the next",
    Reason.LEG_MISSING: "no auction runs for this collateral yet, so it has no reserve price to sell at",
    Reason.ROUTE_CLOSED: "this keeper may not sell this way: the venue is not allowed, or the flash taker "
    "does not serve it",
    Reason.NO_POOL: "no pool trades this collateral for this debt, nor two over another asset",
    Reason.RESERVE_ABOVE_MARKET: "the pool pays less than the reserve price even for the first unit; the "
    "reserve falls with time, so this may change by itself",
    Reason.OFF_ORACLE: "the pool's mean price of the last minutes is too far from the oracle's",
    Reason.SLIPPAGE: "selling even the smallest amount allowed would move the pool beyond the slippage "
    "limit, or below the reserve price",
    Reason.BUDGET: "a release budget is empty: the market has not yet taken what was sold before",
    Reason.DEAR_CHOICE: "another running collateral restores the account's health at a much lower cost",
    Reason.DUST: "what the pool can take would leave a remainder too small to be worth another auction",
    Reason.EMPTY: "the amounts are so small that one side rounds to nothing",
    Reason.UNPROFITABLE: "after gas it would bring less than the least profit that the settings ask for",
    Reason.WAITING_PAYS: "the same sale is expected to bring more a block later, even with the risk that a "
    "rival is faster or that the account gets worse",
    Reason.OUTBID: "another candidate for this account brings more",
    Reason.CONTAINED: "it is done with what was chosen, as the first of several sales in one call",
    Reason.QUOTE_VOID: "the dealer's quote no longer holds: it is spent, expired, of an earlier auction, or "
    "made out to another filler",
    Reason.QUOTE_BELOW_RESERVE: "the dealer pays less than the reserve price; the reserve falls with time, "
    "so a later quote may do",
    Reason.QUOTE_TOO_SMALL: "what the account needs, or what the dealer can pay now, is less than the "
    "smallest fill that the quote allows",
    Reason.MARKET_PAYS: "a pool still pays what the lapsed auction asked last: a new auction loses less",
    Reason.MARKET_GONE: "no pool pays what the lapsed auction asked last: a new one would only take its time",
    Reason.NOT_PROTECTED: "the owner's terms have expired, or it took the operator's rights back",
    Reason.DD_ABOVE_MIN: "the distance to default, and every scenario that the owner counts, is above "
    "its bound",
    Reason.COLLATERAL_KEPT: "the owner does not let this collateral be sold early",
    Reason.OWNERS_BOUND: "what the target needs, or the owner's bounds leave, is less than its least sale",
    Reason.FEE_BELOW_COST: "the fee does not pay for the pool and the gas; it rises as the account gets "
    "nearer to its liquidation",
    Reason.BLOCK_FULL: "this block's actions all went to more urgent accounts",
}
"""Why a candidate lost, for people who see the word for the first time."""


@dataclass(frozen=True, slots=True)
class AssetName:
    """What people call an asset.

    Parameters
    ----------
    symbol : str
        Its symbol.
    decimals : int
        Of a whole token.
    """

    symbol: str
    decimals: int


class Line(NamedTuple):
    """One figure: its name, and the figure with its unit."""

    name: str
    figure: str


class Option(NamedTuple):
    """One candidate of a decision.

    Parameters
    ----------
    action : str
        What would be done, and to which pair.
    chosen : bool
        Whether it was.
    revenue, gas, net : str
        Quote units; empty where unknown.
    details : tuple of Line
        The other numbers it rests on.
    verdict : str
        Why it was chosen, or why not.
    """

    action: str
    chosen: bool
    revenue: str
    gas: str
    net: str
    details: tuple[Line, ...]
    verdict: str


# ------------------------------------------------------------------------------- figures


def whole(value: object) -> int | None:
    """Return an integer that the ledger holds as a number or as digits; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.removeprefix("-").isdecimal():
        return int(value)
    return None


def _wad(value: object, pattern: str) -> str:
    number = whole(value)
    return "unknown" if number is None else pattern.format(number / WAD)


def money(value: object) -> str:
    """Return a WAD quote value in quote units."""
    return _wad(value, "{:,.2f}")


def _health(value: object) -> str:
    return "no debt" if whole(value) == UNBOUNDED else _wad(value, "{:.4f}")


def _of_oracle(value: object) -> str:
    return _wad(value, "{:.4f} of the oracle price")


def _deviations(value: object) -> str:
    return _wad(value, "{:.4f}")


def _part(value: object) -> str:
    return _wad(value, "{:.4%}")


def _count(value: object) -> str:
    number = whole(value)
    return str(value) if number is None else f"{number:,}"


def _share(value: object) -> str:
    return f"{value:.4%}" if isinstance(value, int | float) else "none"


def _ratio(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else "unbounded"


def _quote(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, int | float) else "unknown"


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{_friendly(str(key))} {_plain(item)}" for key, item in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_plain(item) for item in value)
    return "none" if value is None else str(value)


def _friendly(name: str) -> str:
    return name.replace("_", " ")


_OUTLOOK: Final[Mapping[str, tuple[str, Callable[[object], str]]]] = {
    "solvency": ("collateral over debt", _ratio),
    "volatility": ("volatility of its health a year", _share),
    "liquidatable": ("probability that health touches 1", _share),
    "insolvency": ("probability that debt outgrows collateral", _share),
    "expected_loss": ("loss expected if nobody acts", _quote),
    "loss_of_waiting": ("of which selling now avoids", _quote),
    "distance": ("distance to default, deviations", _ratio),
}

_INPUTS: Final[Mapping[str, tuple[str, Callable[[object], str]]]] = {
    "health_factor": ("health factor (liquidatable below 1)", _health),
    "collateral_value": ("collateral at oracle prices", money),
    "debt_value": ("debt at oracle prices", money),
}

_NUMBERS: Final[Mapping[str, tuple[str, Callable[[object], str]]]] = {
    "minimum": ("least profit asked", money),
    "net_later": ("net a block later", money),
    "value_of_waiting": ("expected by waiting", money),
    "reserve": ("reserve", _of_oracle),
    "spot": ("pool's first unit", _of_oracle),
    "tip": ("of which the kicker's tip", money),
    "asked": ("reserve at the lapse", _of_oracle),
    "reserve_multiplier": ("reserve", _of_oracle),
    "realised_multiplier": ("pool pays on average", _of_oracle),
    "distance": ("distance to default, deviations", _deviations),
    "least_distance": ("the owner asks for", _deviations),
    "worst_health": ("health in the worst scenario", _health),
    "fee": ("fee", _part),
    "value": ("would repay", money),
    "least_value": ("owner's least sale", money),
    "max_actions": ("actions in a block", _count),
    "block": ("block", _count),
}

_COLLATERAL: Final = {
    "seized": "sells",
    "sold": "sells",
    "wanted": "wanted to sell",
    "held": "holds",
}
_DEBT: Final = {"payment": "is paid", "repaid": "repays"}
_COLUMNS: Final = ("revenue", "gas_cost", "net")


# -------------------------------------------------------------------------------- telling


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells one recorded decision.

    Parameters
    ----------
    inputs : mapping
        What was known.
    chosen : mapping or None
        The candidate taken.
    rejected : sequence of mapping
        The others, each with its ``reason``.
    names : mapping of int to AssetName
        By asset id; an asset without a name is shown by its id, its amounts in token units.
    """

    inputs: Plain
    chosen: Plain | None
    rejected: Sequence[Plain]
    names: Mapping[int, AssetName] = field(default_factory=dict)

    def symbol(self, asset_id: object) -> str:
        """Return what an asset is called."""
        number = whole(asset_id)
        name = None if number is None else self.names.get(number)
        return name.symbol if name else f"asset {asset_id}"

    def amount(self, asset_id: object, units: object) -> str:
        """Return an amount of an asset in whole tokens."""
        number, count = whole(asset_id), whole(units)
        name = None if number is None else self.names.get(number)
        if count is None:
            return "unknown"
        if name is None:
            return f"{count:,} units of {self.symbol(asset_id)}"
        return f"{count / 10**name.decimals:,.6g} {name.symbol}"

    # ------------------------------------------------------------------------- inputs

    def account(self) -> list[Line]:
        """Return how the account stood, and what was expected of it."""
        lines = [
            Line(name, tell(self.inputs[key])) for key, (name, tell) in _INPUTS.items() if key in self.inputs
        ]
        told = {*_INPUTS, "holdings", "prices", "multipliers", "outlook"}
        outlook = self.inputs.get("outlook")
        if isinstance(outlook, Mapping):  # its health is the health factor again, in floats
            lines += _told({key: value for key, value in outlook.items() if key != "health"}, _OUTLOOK)
        lines += [
            Line(_friendly(key), _plain(value)) for key, value in self.inputs.items() if key not in told
        ]
        return lines

    def assets(self) -> list[tuple[str, str, str, str, str]]:
        """Return asset, holding, debt, oracle price and reserve of each asset in use."""
        holdings = self.inputs.get("holdings")
        rows = holdings if isinstance(holdings, Sequence) else ()
        prices, reserves = self._by_asset("prices"), self._by_asset("multipliers")
        found = []
        for row in rows:
            if isinstance(row, Mapping):
                key = str(row.get("asset_id"))
                held, owed = (self._side(key, row.get(side)) for side in ("collateral", "debt"))
                reserve = _of_oracle(reserves[key]) if key in reserves else ""
                found.append((self.symbol(key), held, owed, money(prices.get(key)), reserve))
        return found

    def _by_asset(self, key: str) -> Plain:
        value = self.inputs.get(key)
        return value if isinstance(value, Mapping) else {}

    def _side(self, asset_id: str, units: object) -> str:
        return self.amount(asset_id, units) if whole(units) else ""

    def price(self, symbol: str) -> int | None:
        """Return the oracle price of an asset, WAD quote units, if the decision rested on it."""
        for key, price in self._by_asset("prices").items():
            if self.symbol(key) == symbol:
                return whole(price)
        return None

    # ------------------------------------------------------------------------ options

    def options(self) -> list[Option]:
        """Return every candidate, the chosen one first."""
        return [*self._taken(), *(self._lost(rejection) for rejection in self.rejected)]

    def _taken(self) -> Iterator[Option]:
        if self.chosen is None:
            return
        action = self.chosen.get("action")
        what = action if isinstance(action, Mapping) else {}
        ids = what.get("collateral_ids")
        ids = ids if isinstance(ids, Sequence) else ()
        pair = (ids[0] if ids else None, what.get("debt_id"))
        own = {"action", "further"}
        numbers = {key: value for key, value in self.chosen.items() if key not in own and value != 0}
        numbers |= {"route": what.get("route"), "started": what.get("started")}
        verdict = "chosen: " + (
            "the most after gas of all that may be done" if self.rejected else "all to be done"
        )
        if pair[1] is None:
            verdict = "chosen: the next step of its auction"
        collaterals = ", ".join(self.symbol(asset_id) for asset_id in ids)
        found = self._option(what.get("kind"), collaterals, pair, numbers, verdict, taken=True)
        further = list(zip(_items(what.get("further")), _items(self.chosen.get("further")), strict=False))
        pairs = [f", then {self._pair(booking)}" for _, booking in further]
        lines = [Line("then", self._further(action, booking)) for action, booking in further]
        yield found._replace(action=found.action + "".join(pairs), details=(*found.details, *lines))

    def _pair(self, booking: object) -> str:
        """Return the pair of a further sale."""
        known = booking if isinstance(booking, Mapping) else {}
        return f"{self.symbol(known.get('collateral_id'))} for {self.symbol(known.get('debt_id'))}"

    def _further(self, action: object, booking: object) -> str:
        """Return a further sale of the same call in one line, with figures of its own."""
        known = booking if isinstance(booking, Mapping) else {}
        pair = (known.get("collateral_id"), known.get("debt_id"))
        own = {"collateral_id", "debt_id", *_COLUMNS}
        numbers = {key: value for key, value in known.items() if key not in own and value != 0}
        numbers["route"] = action.get("route") if isinstance(action, Mapping) else None
        figures = [f"{line.name} {line.figure}" for line in self._details(pair, numbers)]
        figures += [f"earns {money(known.get('revenue'))} for gas of {money(known.get('gas_cost'))}"]
        return f"{self._pair(booking)}: {', '.join(figures)}"

    def _lost(self, rejection: Plain) -> Option:
        pair = (rejection.get("collateral_id"), rejection.get("debt_id"))
        collateral = "" if pair[0] is None else self.symbol(pair[0])
        numbers = rejection.get("numbers")
        reason = str(rejection.get("reason"))
        verdict = REASONS.get(reason, _friendly(reason))
        known = {"route": rejection.get("route"), **(numbers if isinstance(numbers, Mapping) else {})}
        return self._option(rejection.get("kind"), collateral, pair, known, verdict, taken=False)

    def _option(
        self,
        kind: object,
        collaterals: str,
        pair: tuple[object, object],
        numbers: Plain,
        verdict: str,
        *,
        taken: bool,
    ) -> Option:
        what = KINDS.get(str(kind), _friendly(str(kind)))
        of = f" ({collaterals} for {self.symbol(pair[1])})" if pair[1] is not None else f" ({collaterals})"
        revenue, gas = whole(numbers.get("revenue")), whole(numbers.get("gas_cost"))
        net = None if revenue is None or gas is None else revenue - gas
        shown = ["" if value is None else money(value) for value in (revenue, gas, net)]
        details = tuple(self._details(pair, numbers))
        return Option(
            what + (of if collaterals else ""), taken, shown[0], shown[1], shown[2], details, verdict
        )

    def _details(self, pair: tuple[object, object], numbers: Plain) -> Iterator[Line]:
        left = {key: value for key, value in numbers.items() if key not in _COLUMNS}
        if started := _items(left.pop("started", None)):
            yield Line("starts with it", ", ".join(self.symbol(asset_id) for asset_id in started))
        if route := self._route(left.pop("route", None)):
            yield Line("by way of", route)
        for asset_id, words in zip(pair, (_COLLATERAL, _DEBT), strict=True):
            for key, name in words.items():
                if key in left and asset_id is not None:
                    yield Line(name, self.amount(asset_id, left.pop(key)))
        yield from _told(left, _NUMBERS)

    def _route(self, ways: object) -> str:
        """Return each way of a sale: its share, the assets that it leads over, and the fees of its pools."""
        found = _items(ways)
        return "; ".join(self._way(way, alone=len(found) == 1) for way in found if isinstance(way, Mapping))

    def _way(self, way: Plain, *, alone: bool) -> str:
        weight = whole(way.get("weight_bps"))
        share = "" if alone or weight is None else f"{weight / 100:g} % "
        assets, fees = (_items(way.get(key)) for key in ("assets", "fees"))
        costs = " and ".join("? %" if (fee := whole(pips)) is None else f"{fee / 1e4:g} %" for pips in fees)
        return f"{share}{' > '.join(self.symbol(asset_id) for asset_id in assets)} ({costs})"


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _told(values: Plain, words: Mapping[str, tuple[str, Callable[[object], str]]]) -> list[Line]:
    """Return figures in the order of the words for them, then the others under their own names."""
    known = [Line(name, tell(values[key])) for key, (name, tell) in words.items() if key in values]
    return known + [Line(_friendly(key), _plain(value)) for key, value in values.items() if key not in words]
