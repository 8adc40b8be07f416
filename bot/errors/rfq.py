"""Dealers: asking for quotes, and giving them."""

from bot.errors.root import SluiceError


class RfqError(SluiceError):
    """Asking for quotes, and giving them."""


class QuoteMessageError(RfqError):
    """A message between keeper and dealer is not what the protocol says.

    Parameters
    ----------
    field : str
        Where, as a path of names; ``message`` for the whole.
    value : object
        What came; shortened in the message.
    requirement : str
        What should have come.
    """

    def __init__(self, field: str, value: object, requirement: str) -> None:
        shown = repr(value)
        shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
        super().__init__(f"{field} must be {requirement}, and is {shown}; see docs/openapi/rfq.yaml")
        self.field = field
        self.value = value
        self.requirement = requirement


class QuoteDeclinedError(RfqError):
    """A dealer gives no quote.

    Parameters
    ----------
    code : str
        Why, in one of the protocol's words.
    detail : str
        Why, for people.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"no quote ({code}): {detail}")
        self.code = code
        self.detail = detail


class QuoteInvalidError(RfqError):
    """A quote does not hold: it was altered, forged, replayed, or cannot be paid.

    Parameters
    ----------
    fault : str
        What is wrong, in one word or two.
    found, wanted : object
        What the quote says or the chain holds, and what would do.
    """

    def __init__(self, fault: str, found: object, wanted: object) -> None:
        super().__init__(f"the quote is refused for its {fault}: {found}, where {wanted} is wanted")
        self.fault = fault
        self.found = found
        self.wanted = wanted


class QuoteVoidError(QuoteInvalidError):
    """The chain does not bear a quote out at this head: spent, cancelled, filled, or not paid for.

    An honest dealer that has seen another head may send one now and then.
    """


class DealerUnreachableError(RfqError):
    """A dealer did not answer in time, or not at all.

    Parameters
    ----------
    dealer : str
        Scheme, host and port; never the whole URL, which may hold a key.
    detail : str
        What happened.
    """

    def __init__(self, dealer: str, detail: str) -> None:
        super().__init__(f"cannot reach the dealer at {dealer}: {detail}; check the dealer's url and state")
        self.dealer = dealer
        self.detail = detail


class DealerAddressError(RfqError):
    """The dealer cannot serve where it was to."""

    def __init__(self, host: str, port: int, detail: str) -> None:
        super().__init__(
            f"cannot serve quotes on {host}:{port}: {detail}; correct server.host and server.port"
        )
        self.host = host
        self.port = port
        self.detail = detail


class DealerLedgerError(RfqError):
    """The dealer's own ledger cannot be used: without it a nonce might be used twice."""

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(f"the dealer's ledger {path} cannot be used: {detail}; check the disk and ledger")
        self.path = path
        self.detail = detail


class HedgeError(RfqError):
    """A hedge cannot be made: no pool trades the pair, or none deep enough."""

    def __init__(self, pair: str, detail: str) -> None:
        super().__init__(f"cannot hedge {pair}: {detail}; add a pool to the manifest or lower the limits")
        self.pair = pair
        self.detail = detail
