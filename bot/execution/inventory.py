"""What the keeper's accounts hold: gas money topped up, profits swept, approvals kept exact.

Rules say what should be; each look compares it with the chain and returns what is wanted, as housekeeping
intents that go the way of every other: simulated, limited, journalled. Nothing is remembered between looks,
so a crash loses nothing, and what is under way is not wanted twice because its account is busy.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import structlog
from eth_abi.abi import encode

from bot.chain import codec
from bot.errors import InvalidInputError, MalformedAnswerError, RpcError
from bot.ports import Address, Call, Head, Intent, Json, Lane, Rpc, RpcCall, Terms

_log = structlog.get_logger(__name__)

PROTOCOL: Final = "inventory"
"""Name of its intents in the ledger."""

_BALANCE_OF: Final = bytes.fromhex("70a08231")
_ALLOWANCE: Final = bytes.fromhex("dd62ed3e")
_APPROVE: Final = bytes.fromhex("095ea7b3")
_TRANSFER: Final = bytes.fromhex("a9059cbb")

_WORD: Final = 32

LARGEST_APPROVAL: Final = 2**128 - 1
"""Approvals beyond it are refused: they are meant to be unlimited."""


@dataclass(frozen=True, slots=True)
class GasMoney:
    """Gas money of accounts, filled up from the main one.

    Parameters
    ----------
    floor, target : int
        Wei below which an account is filled up, and to what.
    reserve : int
        Wei that the main account keeps whatever the others need.
    largest : int
        Most wei of one filling.
    """

    floor: int
    target: int
    reserve: int
    largest: int

    def __post_init__(self) -> None:
        if not 0 <= self.floor <= self.target:
            raise InvalidInputError("floor", self.floor, f"between 0 and the target {self.target}")


@dataclass(frozen=True, slots=True)
class Sweep:
    """Profits that leave for a cold address.

    Parameters
    ----------
    symbol : str
        Of the token, or of the chain's own coin.
    token : Address or None
        The token; None for the chain's own coin.
    above, keep : int
        Balance from which it is swept, and what stays.
    """

    symbol: str
    token: Address | None
    above: int
    keep: int

    def __post_init__(self) -> None:
        if not 0 <= self.keep <= self.above:
            raise InvalidInputError("keep", self.keep, f"between 0 and the threshold {self.above}")


@dataclass(frozen=True, slots=True)
class Approval:
    """What a spender may take of a token: exactly this.

    Some tokens (USDT) change an allowance to nothing and from nothing alone, and a spender that sees a change
    coming may take the old amount and the new one. So what is not nothing is revoked first, and the amount is
    approved once the chain shows that nothing is left.

    Parameters
    ----------
    symbol : str
        Of the token.
    token, spender : Address
        Token and spender.
    amount : int
        Token units; 0 revokes.
    """

    symbol: str
    token: Address
    spender: Address
    amount: int

    def __post_init__(self) -> None:
        if not 0 <= self.amount <= LARGEST_APPROVAL:
            raise InvalidInputError("amount", self.amount, f"at most {LARGEST_APPROVAL}, never unlimited")

    def is_revoked_first(self, found: int) -> bool:
        """Whether an allowance has to go before the amount can come."""
        return found not in (0, self.amount) and self.amount != 0


@dataclass(frozen=True, slots=True)
class Credit:
    """Earnings that a protocol keeps for an account until they are collected.

    Parameters
    ----------
    symbol : str
        Of the token.
    read, collect : Call
        The call that returns the amount, and the one that pays it to the cold address.
    above : int
        Amount from which it is collected.
    owner : Address or None
        Who earned it, and collects it; None for the main account.
    """

    symbol: str
    read: Call
    collect: Call
    above: int
    owner: Address | None = None


@dataclass(frozen=True, slots=True)
class InventoryRules:
    """How it should be.

    Parameters
    ----------
    main : Address
        Earns, and pays for the others' gas.
    others : tuple of Address
        Further accounts that send.
    cold : Address or None
        Where profits go.
    gas : GasMoney or None
        Gas money; None fills nothing up.
    sweeps, approvals, credits : tuple
        What leaves, what spenders may take of the main account, and what is collected.
    interval : int
        Heads between two looks; after a revocation that makes room for an amount there are none between.
    """

    main: Address
    others: tuple[Address, ...] = ()
    cold: Address | None = None
    gas: GasMoney | None = None
    sweeps: tuple[Sweep, ...] = ()
    approvals: tuple[Approval, ...] = ()
    credits: tuple[Credit, ...] = ()
    interval: int = 25


class Holdings(NamedTuple):
    """What was found, in the order of the rules; wei and token units."""

    main: int
    others: list[int]
    tokens: list[int]
    allowances: list[int]
    credits: list[int]


class Inventory:
    """Looks now and then, and says what is wanted.

    Parameters
    ----------
    rpc : Rpc
        The node.
    rules : InventoryRules
        How it should be.
    """

    def __init__(self, rpc: Rpc, rules: InventoryRules) -> None:
        self._rpc: Final = rpc
        self._rules: Final = rules
        self._due = 0

    async def wants(self, head: Head) -> list[Intent]:
        """Return what is wanted on ``head``; empty between two looks."""
        if head.number < self._due:
            return []
        holdings = await self._look(head)
        allowed = zip(self._rules.approvals, holdings.allowances, strict=True)
        halfway = any(approval.is_revoked_first(found) for approval, found in allowed)
        self._due = head.number + (1 if halfway else self._rules.interval)
        _log.info("inventory", block=head.number, **holdings._asdict())
        return wanted(holdings, self._rules, head)

    async def _look(self, head: Head) -> Holdings:
        rules = self._rules
        at = codec.at(head)
        tokens = [sweep.token for sweep in rules.sweeps if sweep.token is not None]
        reads = [
            *(Call(token, _BALANCE_OF + encode(["address"], [rules.main])) for token in tokens),
            *(_allowance(approval, rules.main) for approval in rules.approvals),
            *(credit.read for credit in rules.credits),
        ]
        accounts = [rules.main, *rules.others]
        calls = [RpcCall("eth_getBalance", [account, at]) for account in accounts]
        calls += [RpcCall("eth_call", [_request(read), at]) for read in reads]
        answers = await self._rpc.batch(calls)
        for answer in answers:
            if isinstance(answer, RpcError):
                raise answer
        balances = [codec.quantity(answer, "eth_getBalance") for answer in answers[: len(accounts)]]
        amounts = [_word(answer) for answer in answers[len(accounts) :]]
        ends = (len(tokens), len(tokens) + len(rules.approvals))
        return Holdings(
            balances[0], balances[1:], amounts[: ends[0]], amounts[ends[0] : ends[1]], amounts[ends[1] :]
        )


def wanted(holdings: Holdings, rules: InventoryRules, head: Head) -> list[Intent]:
    """Return the intents that bring holdings to what the rules say. Pure.

    Gas money first; sweeps of the chain's own coin take what the fillings leave.
    """
    intents, left = _fillings(holdings, rules, head)
    for approval, found in zip(rules.approvals, holdings.allowances, strict=True):
        if found != approval.amount:
            amount = 0 if approval.is_revoked_first(found) else approval.amount
            what = f"approve {approval.symbol} {approval.spender}"
            intents.append(_intent(what, _approve(approval, amount), rules, head))
    if rules.cold is None:
        return intents
    tokens = iter(holdings.tokens)
    for sweep in rules.sweeps:
        balance = left if sweep.token is None else next(tokens)
        if balance > sweep.above:
            call = _transfer(sweep.token, rules.cold, balance - sweep.keep)
            intents.append(_intent(f"sweep {sweep.symbol}", call, rules, head))
    for credit, amount in zip(rules.credits, holdings.credits, strict=True):
        if amount > credit.above:
            what = f"collect {credit.symbol}" + (f" of {credit.owner}" if credit.owner else "")
            intents.append(_intent(what, credit.collect, rules, head, credit.owner))
    return intents


def _fillings(holdings: Holdings, rules: InventoryRules, head: Head) -> tuple[list[Intent], int]:
    """Return what fills gas money up, and what that leaves of the main account's balance."""
    left, gas = holdings.main, rules.gas
    intents: list[Intent] = []
    if gas is None:
        return intents, left
    for address, balance in zip(rules.others, holdings.others, strict=True):
        if balance >= gas.floor:
            continue
        amount = min(gas.target - balance, gas.largest, left - gas.reserve)
        if amount <= 0:
            _log.error("gas_money_short", account=address, balance=balance, main=left, reserve=gas.reserve)
            continue
        intents.append(_intent(f"fill {address}", Call(address, b"", amount), rules, head))
        left -= amount
    return intents, left


def _intent(
    what: str, call: Call, rules: InventoryRules, head: Head, sender: Address | None = None
) -> Intent:
    terms = Terms(Lane.HOUSEKEEPING, sender=sender or rules.main)
    return Intent(f"{PROTOCOL}:{what}:{head.hash}", PROTOCOL, what, call, expected_profit=0, terms=terms)


def _approve(approval: Approval, amount: int) -> Call:
    return Call(approval.token, _APPROVE + encode(["address", "uint256"], [approval.spender, amount]))


def _transfer(token: Address | None, receiver: Address, amount: int) -> Call:
    if token is None:
        return Call(receiver, b"", amount)
    return Call(token, _TRANSFER + encode(["address", "uint256"], [receiver, amount]))


def _allowance(approval: Approval, owner: Address) -> Call:
    return Call(approval.token, _ALLOWANCE + encode(["address", "address"], [owner, approval.spender]))


def _request(read: Call) -> Json:
    return {"to": read.to, "data": codec.hex_data(read.data)}


def _word(answer: Json | RpcError) -> int:
    """Return the number that a view returned; one that returned nothing is an error, never zero."""
    data = codec.data(answer, "eth_call")
    if len(data) != _WORD:
        raise MalformedAnswerError("eth_call", answer, "a word of 32 bytes")
    return int.from_bytes(data)
