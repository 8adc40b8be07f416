"""Puts the reference dealer together."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, NamedTuple

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address

from bot.chain.feed import ChainHeadFeed
from bot.chain.pool import EndpointPool
from bot.config import read_password
from bot.errors import ConfigValueError, KeystoreMissingError
from bot.ports import Address, Call, Receipt
from bot.protocols.sluice.adapter import SluiceProtocol
from bot.protocols.sluice.manifest import Manifest, load_manifest
from bot.rfq.dealing import Dealer, Identity
from bot.rfq.hedging import Hedger, UniswapHedge
from bot.rfq.landing import Lane, received
from bot.rfq.ledger import DealerLedger
from bot.rfq.reading import Places, Reader
from bot.rfq.records import Work, WorkKind
from bot.rfq.server import DealerServer
from bot.rfq.service import DealerService
from bot.rfq.settings import DealerSettings
from bot.rfq.signing import DealerKey
from bot.rfq.typed_data import QuoteDomain
from bot.starting import PatientStart, StartOptions

_EXECUTE: Final = function_signature_to_4byte_selector("execute(address,bytes)")


class _Parts(NamedTuple):
    settings: DealerSettings
    manifest: Manifest
    places: Places
    key: DealerKey
    client: EndpointPool
    ledger: DealerLedger


def unlock_dealer(settings: DealerSettings, ask_password: Callable[[Path], str]) -> DealerKey:
    """Decrypt the dealer's keystore.

    Raises
    ------
    KeystoreMissingError
        If no keystore is set.
    KeystoreInvalidError, KeystorePasswordError, ConfigFileError
        If keystore, password or password file are not usable.
    """
    path, file = settings.signer.keystore, settings.signer.password_file
    if path is None:
        raise KeystoreMissingError(dry_run=False)
    return DealerKey.unlock(path, read_password(file) if file else ask_password(path))


async def run_dealer(settings: DealerSettings, key: DealerKey) -> None:
    """Run the dealer until it is cancelled.

    Raises
    ------
    SluiceError
        If it cannot start, or cannot go on.
    """
    manifest = load_manifest(settings.manifest, settings.chain.chain_id)
    pairs = pairs_of(settings, manifest)
    places = _places(settings, manifest, pairs, key)
    async with AsyncExitStack() as stack:
        start = PatientStart(StartOptions(settings.chain.start_patience_s))
        client = await start.step("connecting", lambda: stack.enter_async_context(_pool(settings)))
        await start.step(
            "looking at the contracts", lambda: SluiceProtocol(client, manifest).check(settings.manifest)
        )
        domain = QuoteDomain(manifest.chain_id, places.engine)
        owner = f"chain {domain.chain_id}, engine 0x{domain.engine.hex()}, dealer 0x{places.dealer.hex()}"
        ledger = await DealerLedger.open(settings.ledger, owner)
        stack.push_async_callback(ledger.close)
        identity = Identity(domain, places.dealer, callback=settings.quotes.contract is not None)
        limits, pricing = settings.dealing_limits(), settings.pricing_rules()
        dealer = Dealer(identity, pairs, pricing, limits, ledger, key)
        service = _service(_Parts(settings, manifest, places, key, client, ledger), dealer)
        await stack.enter_async_context(DealerServer(dealer, settings.server_options()).running())
        await service.run()


def _pool(settings: DealerSettings) -> EndpointPool:
    return EndpointPool(settings.chain.clients(), settings.chain.pool_options())


def _service(parts: _Parts, dealer: Dealer) -> DealerService:
    settings, places, ledger = parts.settings, parts.places, parts.ledger
    wrap = _wrapper(settings)

    def proceeds(work: Work, receipt: Receipt) -> int:
        if work.kind is not WorkKind.HEDGE:
            return 0
        return received(_text(places.tokens[work.debt_id]), _text(places.dealer), receipt)

    lane = Lane(parts.client, ledger, parts.key, settings.landing_options(), proceeds)
    options = settings.hedge_options()
    return DealerService(
        feed=ChainHeadFeed(parts.client, settings.chain.feed_options()),
        protocol=SluiceProtocol(parts.client, parts.manifest),
        reader=Reader(parts.client, places),
        dealer=dealer,
        ledger=ledger,
        hedger=Hedger(lane, ledger, UniswapHedge(places, options), places, options, wrap),
        lane=lane,
        places=places,
        wrap=wrap,
        options=settings.dealer_options(),
    )


def pairs_of(settings: DealerSettings, manifest: Manifest) -> list[tuple[int, int]]:
    """Return the asset ids of the pairs that are dealt in.

    Raises
    ------
    ConfigValueError
        If an asset is not listed.
    """
    ids = {asset.symbol: asset.id for asset in manifest.assets}
    pairs = [tuple(text.split("/", 1)) for text in settings.quotes.pairs]
    unknown = [symbol for pair in pairs for symbol in pair if symbol not in ids]
    if unknown:
        listed = ", ".join(ids)
        raise ConfigValueError([("quotes.pairs", unknown[0], f"is not listed; listed are {listed}")])
    return [(ids[sold], ids[owed]) for sold, owed in pairs]


def _places(
    settings: DealerSettings, manifest: Manifest, pairs: list[tuple[int, int]], key: DealerKey
) -> Places:
    contract = settings.quotes.contract
    used = {asset_id for pair in pairs for asset_id in pair}
    return Places(
        engine=_raw(manifest.liquidation_engine),
        house=_raw(manifest.clearing_house),
        router=_raw(manifest.uniswap_v3.swap_router),
        dealer=_raw(contract) if contract is not None else key.raw_address,
        tokens={asset.id: _raw(asset.token) for asset in manifest.assets if asset.id in used},
    )


def _wrapper(settings: DealerSettings) -> Callable[[Call], Call]:
    """Return what turns a call of the dealer into one of its key: through the contract, if there is one."""
    contract = settings.quotes.contract
    if contract is None:
        return lambda call: call
    to = Address(to_checksum_address(contract))
    return lambda call: Call(to, _EXECUTE + encode(["address", "bytes"], [call.to, call.data]))


def _raw(address: str) -> bytes:
    return bytes.fromhex(address[2:])


def _text(address: bytes) -> Address:
    return Address(to_checksum_address(address))
