"""What a protocol's contracts, logs and manifest say."""

from bot.errors.root import SluiceError


class ProtocolError(SluiceError):
    """A protocol's contracts or manifest are not what the keeper was told."""


class ManifestError(ProtocolError):
    """A deployment's manifest is missing, malformed, or describes another chain.

    Parameters
    ----------
    path : object
        The file.
    problem : str
        What is wrong, with the value.
    fix : str
        What to do.
    """

    def __init__(self, path: object, problem: str, fix: str) -> None:
        super().__init__(f"manifest {path}: {problem}; {fix}")
        self.path = path
        self.problem = problem
        self.fix = fix


class LogMalformedError(ProtocolError):
    """A log has an event's signature and not its fields.

    Parameters
    ----------
    event : str
        The event it claims to be.
    block_number, log_index : int
        Its place.
    topics, size : int
        Number of its topics, length of its data in bytes.
    """

    def __init__(self, event: str, block_number: int, log_index: int, topics: int, size: int) -> None:
        super().__init__(
            f"log {log_index} of block {block_number} is no {event}: {topics} topics, {size} bytes; "
            "run `make abi` if the contracts have changed"
        )
        self.event = event
        self.block_number = block_number
        self.log_index = log_index


class BookDivergedError(ProtocolError):
    """The book that is kept from logs contradicts the chain, so nothing may act on it.

    Parameters
    ----------
    what : str
        The quantity.
    kept : object
        As kept from logs.
    chain : object
        As the chain has it.
    """

    def __init__(self, what: str, kept: object, chain: object) -> None:
        super().__init__(
            f"{what} is {kept!r} in the book and {chain!r} on chain; "
            "the keeper reads it from the chain again; report it if it comes back"
        )
        self.what = what
        self.kept = kept
        self.chain = chain


class BookIncompleteError(ProtocolError):
    """The accounts known from their deposits do not add up to the totals of an asset.

    Parameters
    ----------
    asset_id, block_number : int
        The asset, and where it was read.
    found, totals : tuple of int
        Collateral and debt shares, over all accounts and as the asset has them.
    """

    def __init__(
        self, asset_id: int, block_number: int, found: tuple[int, int], totals: tuple[int, int]
    ) -> None:
        super().__init__(
            f"at block {block_number} the accounts hold {found[0]} of asset {asset_id} and owe {found[1]} "
            f"shares, its totals are {totals[0]} and {totals[1]}; all logs are read instead"
        )
        self.asset_id = asset_id
        self.block_number = block_number
        self.found = found
        self.totals = totals


class CheckpointInvalidError(ProtocolError):
    """A checkpoint of a book is damaged, or was written by another version or for another deployment."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"the checkpoint cannot be used: {problem}; the book is read from the chain instead")
        self.problem = problem
