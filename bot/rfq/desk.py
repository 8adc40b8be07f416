"""The keeper's settings of dealers, and a desk made of them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from pydantic import Field

from bot.chain.endpoint import Endpoint
from bot.ports import Rpc
from bot.ports.rfq import DealerMemory
from bot.protocols.sluice.manifest import Manifest
from bot.rfq.asking import DeskOptions, KnownDealer, RequestDesk
from bot.rfq.client import DealerLink, HttpDealer, StreamDealer, session_for_dealers
from bot.rfq.scoring import BenchPolicy
from bot.rfq.typed_data import QuoteDomain
from bot.rfq.verification import Bounds, QuoteVerifier, Venue
from bot.sections import AddressText, HttpUrl, Section


class DealerEntry(Section):
    """A dealer that the keeper asks.

    Parameters
    ----------
    address : str
        Who must sign its quotes.
    url : SecretStr
        Where it is asked, http or https. Secret, because it may hold a key.
    stream : bool
        Whether over one WebSocket, rather than a request each.
    """

    address: AddressText
    url: HttpUrl
    stream: bool = False


class DeskSettings(Section):
    """How the keeper asks dealers; without any it asks nobody.

    Parameters
    ----------
    dealers : tuple of DealerEntry
        Whom: ``[[rfq.dealers]]``.
    deadline_s : float
        Seconds for all answers together.
    at_once : int
        Requests under way to one dealer.
    mark_after_blocks : int
        Blocks after which a price is held against the mid price.
    widest_price_bps : int
        Most that a price may lie off the oracle's.
    most_discount_bps : int
        Below the mid price by more than which, on average, a dealer's prices bench it; 10,000 never.
    """

    dealers: tuple[DealerEntry, ...] = ()
    deadline_s: float = Field(default=0.5, gt=0, le=10)
    at_once: int = Field(default=16, gt=0)
    mark_after_blocks: int = Field(default=5, gt=0)
    widest_price_bps: int = Field(default=2_500, gt=0, lt=10_000)
    most_discount_bps: int = Field(default=500, gt=0, le=10_000)

    def options(self) -> DeskOptions:
        """Return what `RequestDesk` takes."""
        bench = BenchPolicy(most_discount_bps=self.most_discount_bps)
        return DeskOptions(self.deadline_s, self.at_once, self.mark_after_blocks, bench)

    def secrets(self) -> list[str]:
        """Return the URLs that hold more than their label shows."""
        urls = [Endpoint.parse(entry.url.get_secret_value()) for entry in self.dealers]
        return [endpoint.url for endpoint in urls if endpoint.url.rstrip("/") != endpoint.label]


@asynccontextmanager
async def open_desk(
    settings: DeskSettings, manifest: Manifest, rpc: Rpc, memory: DealerMemory
) -> AsyncIterator[RequestDesk]:
    """Make a desk that lasts as long as the context.

    Parameters
    ----------
    settings : DeskSettings
        Whom to ask, and how.
    manifest : Manifest
        Where quotes are to hold.
    rpc : Rpc
        The node that verifies them.
    memory : DealerMemory
        Keeps the scores.
    """
    domain = QuoteDomain(manifest.chain_id, _raw(manifest.liquidation_engine))
    tokens = tuple(_raw(asset.token) for asset in manifest.assets)
    venue = Venue(domain, _raw(manifest.clearing_house), tokens)
    verifier = QuoteVerifier(rpc, venue, Bounds(widest_price_bps=settings.widest_price_bps))
    async with AsyncExitStack() as stack:
        # A request may not outlive the deadline by much, even where nobody waits for it any more.
        session = await stack.enter_async_context(session_for_dealers(2 * settings.deadline_s))
        known = []
        for entry in settings.dealers:
            endpoint = Endpoint.parse(entry.url.get_secret_value())
            link: DealerLink = HttpDealer(endpoint, session)
            if entry.stream:
                link = await stack.enter_async_context(StreamDealer(endpoint, session))
            known.append(KnownDealer(_raw(entry.address), link))
        yield RequestDesk(known, domain, verifier, memory, settings.options())


def _raw(address: str) -> bytes:
    return bytes.fromhex(address[2:])
