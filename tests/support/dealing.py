"""A reference dealer over a scene made by hand, with a book in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from bot.ports.rfq import QuoteRequest
from bot.rfq.dealing import Dealer, DealerView, DealingLimits, Funds, Identity
from bot.rfq.pricing import PricingRules
from bot.rfq.records import IssuedQuote
from tests.support.keeper import a_head
from tests.support.rfq import DOMAIN, KEEPER, a_key, address_of
from tests.support.snapshots import NOW, USDC, WETH, Scene, pool_at, units

KEY = a_key()
DEALER = address_of(KEY)
HEAD = replace(a_head(100), timestamp=NOW)
MILLIONS = units("USDC", 10_000_000)


@dataclass
class Book:
    """Hands out nonces and remembers."""

    issued: list[IssuedQuote] = field(default_factory=list)

    async def issue(self, make: Callable[[int], IssuedQuote]) -> IssuedQuote:
        self.issued.append(make(len(self.issued)))
        return self.issued[-1]


class Signer:
    def sign_digest(self, digest: bytes) -> bytes:
        signature = KEY.sign_msg_hash(digest)
        return signature.to_bytes()[:64] + bytes([signature.v + 27])


def scene(*, age: int = 600, **changes: Any) -> Scene:
    """One unhealthy account of 10 WETH with an auction that is ten minutes old."""
    made = Scene(pools=[pool_at(200.0, 20_000_000)], **changes)
    row = made.account({"WETH": 10}, {"USDC": 1_700})
    made.auction(row, ["WETH"], age=age)
    return made


def view_of(made: Scene, *, balance: int = MILLIONS, allowance: int = MILLIONS, weth: int = 0) -> DealerView:
    funds = {WETH: Funds(weth, 0), USDC: Funds(balance, allowance)}
    return DealerView(HEAD, made.shoot(), funds)


def a_dealer(*, callback: bool = False, pricing: PricingRules | None = None, **limits: Any) -> Dealer:
    identity = Identity(DOMAIN, DEALER, callback=callback)
    rules = pricing or PricingRules()
    return Dealer(identity, [(WETH, USDC)], rules, DealingLimits(**limits), Book(), Signer())


def asked(**changes: Any) -> QuoteRequest:
    request = QuoteRequest((0).to_bytes(20), 0, WETH, USDC, units("WETH", 5), KEEPER)
    return replace(request, **changes)
