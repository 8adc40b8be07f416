"""The exceptions of Sluice, one tree.

::

    SluiceError
    ├── DomainError (ValueError)            an input outside the domain of a formula
    │   ├── InvalidInputError               not finite, negative, zero, wrong shape
    │   ├── TargetHealthUnreachableError    no repayment reaches the target health factor
    │   │   └── CollateralExhaustedError    all that lifts health, sold, still falls short of the target
    │   ├── LiquidityExhaustedError         a trade is larger than what a pool holds
    │   └── CorrelationError                not a correlation matrix
    ├── ChainError                          talking to a node
    │   ├── EndpointInvalidError            an URL that names no node
    │   ├── EndpointUnreachableError        no connection, no answer in time, connection lost
    │   ├── WrongChainError                 the endpoint serves another chain
    │   ├── RpcError                        the node answered with an error
    │   ├── MalformedAnswerError            the node answered with something else than asked for
    │   ├── HeadChainBrokenError            heads that do not link, again and again
    │   ├── HeadGapError                    more heads were missed than are made up
    │   └── ReorgTooDeepError               no common ancestor among the heads remembered
    ├── ProtocolError                       what a protocol's contracts and manifest say
    │   ├── ManifestError                   a manifest that is missing, malformed, or of another chain
    │   ├── LogMalformedError               a log that is not the event it claims to be
    │   └── BookDivergedError               the book kept from logs contradicts the chain
    ├── ReplayError                         the laboratory: input files, processes, set-up
    │   ├── PriceFileError                  a row of a price file that cannot be a price
    │   ├── BookFileError                   a row of a book that cannot be an account
    │   ├── ReplayOptionError               an option outside what it may be
    │   ├── LocalNodeError                  the replay's own node: missing, port in use, ended
    │   ├── SetupError                      deployment or seeding did not go through
    │   ├── KeeperProcessError              the keeper's process ended or never spoke
    │   └── MeasurementError                what was measured contradicts the chain
    ├── ConfigError                         what the operator set
    │   ├── ConfigFileError                 a file that is missing, unreadable or malformed
    │   ├── ConfigValueError                a value that its setting does not take
    │   └── UnknownSettingError             a setting that does not exist
    ├── OpsError                            running the daemon
    │   └── AcknowledgerUnreachableError    whoever drives the chain does not listen
    ├── ExecutionError                      landing transactions
    │   ├── KeystoreInvalidError            no file, or no keystore
    │   ├── KeystorePasswordError           the password does not open the keystore
    │   ├── KeystoreMissingError            no keystore is named, and a key is needed
    │   ├── KeystoreExistsError             a keystore would be overwritten
    │   └── PrivateKeyInvalidError          what was to be imported is no private key
    ├── LedgerError                         the database of decisions and transactions
    │   ├── LedgerUnavailableError          locked, full, not writable, not a database
    │   ├── LedgerInUseError                another keeper holds it
    │   ├── LedgerMismatchError             written by another version, or for another chain
    │   ├── DuplicateTransactionError       a nonce or a key would be used twice
    │   └── DecisionNotFoundError           no decision on that account, or none on that block
    └── (each layer adds its own branch in its own section below)

Every error carries the value that caused it and, where there is one, the fix.
"""

from collections.abc import Sequence


class SluiceError(Exception):
    """Root of every error that Sluice raises on purpose."""


class DomainError(SluiceError, ValueError):
    """An input lies outside the domain of a formula."""


class InvalidInputError(DomainError):
    """A value is not finite, not positive, or has the wrong shape.

    Parameters
    ----------
    name : str
        The argument's name, as in the signature.
    value : object
        The offending value.
    requirement : str
        What the value must satisfy.
    """

    def __init__(self, name: str, value: object, requirement: str) -> None:
        super().__init__(f"{name} must be {requirement}, got {value!r}")
        self.name = name
        self.value = value
        self.requirement = requirement


class TargetHealthUnreachableError(DomainError):
    """No repayment brings the health factor to the target.

    That is so where ``target * debt_weight <= threshold * (1 + bonus)``.
    """

    def __init__(self, target: float, floor: float) -> None:
        super().__init__(
            f"target health {target!r} cannot be reached: "
            f"it must exceed threshold * (1 + bonus) / debt_weight = {floor!r}"
        )
        self.target = target
        self.floor = floor


class CollateralExhaustedError(TargetHealthUnreachableError):
    """Selling every collateral that lifts health still leaves the account below the target."""

    def __init__(self, target: float, floor: float, reached: float) -> None:
        super().__init__(target, floor)
        self.args = (
            f"target health {target!r} cannot be reached: selling every collateral that lifts health"
            f" ends at {reached!r}",
        )
        self.reached = reached


class LiquidityExhaustedError(DomainError):
    """A trade asks for more than the initialised liquidity can give.

    Parameters
    ----------
    name : str
        The argument that asks for it, as in the signature.
    requested : int or float
        What was asked, in the argument's unit.
    amount_in, amount_out : int or float
        The partial fill that the liquidity does allow: input taken, fee included, and output paid.
    fee_paid : int or float
        The part of ``amount_in`` that is fee, where it is known.
    """

    def __init__(
        self, name: str, requested: float, amount_in: float, amount_out: float, fee_paid: float = 0
    ) -> None:
        super().__init__(
            f"{name} = {requested!r} exceeds the liquidity: at most {amount_in!r} in for {amount_out!r} out; "
            "ask for no more than that"
        )
        self.name = name
        self.requested = requested
        self.amount_in = amount_in
        self.amount_out = amount_out
        self.fee_paid = fee_paid


class CorrelationError(DomainError):
    """A matrix is not a correlation matrix: not symmetric, unit diagonal or positive semi-definite."""


# ---------------------------------------------------------------------------------------- chain


class ChainError(SluiceError):
    """Talking to a node went wrong. Messages carry the endpoint's label, never its URL."""


class EndpointInvalidError(ChainError, ValueError):
    """The endpoint's URL cannot be used. The URL itself is not shown: it may hold a key."""

    def __init__(self, fault: str) -> None:
        super().__init__(
            f"the endpoint's URL is not usable: {fault}; "
            "it must read like ws://127.0.0.1:8545 or https://node.example/KEY"
        )
        self.fault = fault


class EndpointUnreachableError(ChainError):
    """The endpoint refused the connection, dropped it, or did not answer in time.

    Parameters
    ----------
    endpoint : str
        Label: scheme, host and port.
    detail : str
        What happened.
    """

    def __init__(self, endpoint: str, detail: str) -> None:
        super().__init__(
            f"cannot reach {endpoint}: {detail}; check that the node runs and that chain.endpoint names it"
        )
        self.endpoint = endpoint
        self.detail = detail


class WrongChainError(ChainError):
    """The endpoint serves another chain than the configuration says."""

    def __init__(self, endpoint: str, expected: int, actual: int) -> None:
        super().__init__(
            f"{endpoint} serves chain {actual}, the configuration wants chain {expected}; "
            "correct chain.endpoint or chain.chain_id"
        )
        self.endpoint = endpoint
        self.expected = expected
        self.actual = actual


class RpcError(ChainError):
    """The node answered a request with an error.

    Parameters
    ----------
    method : str
        The request.
    code : int
        JSON-RPC error code; 3 is a revert on most nodes.
    message : str
        The node's words.
    data : object
        What came with it; for a revert usually the hex revert data.
    """

    def __init__(self, method: str, code: int, message: str, data: object = None) -> None:
        super().__init__(f"{method} was refused with code {code}: {message}")
        self.method = method
        self.code = code
        self.message = message
        self.data = data


class MalformedAnswerError(ChainError):
    """An answer is not what the request asked for.

    Parameters
    ----------
    what : str
        The request or the field.
    value : object
        What came; shortened in the message.
    requirement : str
        What should have come.
    """

    def __init__(self, what: str, value: object, requirement: str) -> None:
        shown = repr(value)
        shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
        super().__init__(f"{what} must be {requirement}, the node sent {shown}")
        self.what = what
        self.value = value
        self.requirement = requirement


class HeadChainBrokenError(ChainError):
    """The node keeps serving headers that do not link to each other."""

    def __init__(self, endpoint: str, number: int, attempts: int) -> None:
        super().__init__(
            f"{endpoint} served {attempts} times headers below block {number} that do not link; "
            "use an endpoint that is one node, or wait until it has synced"
        )
        self.endpoint = endpoint
        self.number = number


class HeadGapError(ChainError):
    """More heads were missed than the feed makes up."""

    def __init__(self, endpoint: str, number: int, largest_gap: int) -> None:
        super().__init__(
            f"{endpoint} is at block {number}, more than {largest_gap} heads ahead of the last one seen; "
            "start the keeper again: it reads its state anew"
        )
        self.endpoint = endpoint
        self.number = number
        self.largest_gap = largest_gap


class ReorgTooDeepError(ChainError):
    """The chain changed below every head that is remembered."""

    def __init__(self, number: int, depth: int) -> None:
        super().__init__(
            f"the chain changed below block {number}, deeper than the {depth} heads remembered; "
            "start the keeper again: it reads its state anew"
        )
        self.number = number
        self.depth = depth


# ------------------------------------------------------------------------------------- protocols


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
            "restart to read all logs again, and report it if it comes back"
        )
        self.what = what
        self.kept = kept
        self.chain = chain


# ---------------------------------------------------------------------------------------- laboratory


class ReplayError(SluiceError):
    """A replay cannot start, or cannot go on."""


class _RowError(ReplayError):
    """A file holds a value that cannot be used.

    Parameters
    ----------
    file : object
        Path of the file.
    row : int or None
        Line of the file, the header being line 1; None where the file as a whole is wrong.
    value : object
        The offending value.
    problem : str
        Why it cannot be used.
    fix : str
        What to do about it.
    """

    def __init__(self, file: object, row: int | None, value: object, problem: str, fix: str) -> None:
        place = f"{file}" if row is None else f"{file}, line {row}"
        super().__init__(f"{place}: {problem}, got {value!r}; {fix}")
        self.file = file
        self.row = row
        self.value = value
        self.problem = problem
        self.fix = fix


class PriceFileError(_RowError):
    """A price file has a gap, a spike, rows out of order, or a value that is no price."""


class BookFileError(_RowError):
    """A book names an unknown asset, or an amount that no account can have."""


class ReplayOptionError(ReplayError):
    """An option of the replay is outside what it may be.

    Parameters
    ----------
    option : str
        As on the command line.
    value : object
        The offending value.
    requirement : str
        What the value must satisfy.
    """

    def __init__(self, option: str, value: object, requirement: str) -> None:
        super().__init__(f"{option} must be {requirement}, got {value!r}")
        self.option = option
        self.value = value
        self.requirement = requirement


class LocalNodeError(ReplayError):
    """The replay's own node is not installed, cannot have its port, or ended."""


class SetupError(ReplayError):
    """Deploying or seeding did not go through."""


class KeeperProcessError(ReplayError):
    """The keeper's process ended, or never acknowledged a head.

    Parameters
    ----------
    problem : str
        What happened.
    log_tail : str
        The last lines of the keeper's log.
    """

    def __init__(self, problem: str, log_tail: str) -> None:
        shown = log_tail.strip() or "(the log is empty)"
        super().__init__(f"{problem}; the end of the keeper's log:\n{shown}")
        self.problem = problem
        self.log_tail = log_tail


class MeasurementError(ReplayError):
    """The replay's own account of the chain contradicts the chain, so no report is written."""


# ------------------------------------------------------------------------------------ execution


class ExecutionError(SluiceError):
    """Landing transactions."""


class KeystoreInvalidError(ExecutionError):
    """The keystore cannot be read, or is none."""

    def __init__(self, path: str, fault: str) -> None:
        super().__init__(
            f"the keystore {path} cannot be used: {fault}; "
            "signer.keystore must name an encrypted JSON keystore, as `ape accounts generate` makes one"
        )
        self.path = path
        self.fault = fault


class KeystorePasswordError(ExecutionError):
    """The password does not open the keystore."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"the password does not open the keystore {path}; "
            "correct the file that signer.password_file names, or leave the setting out to be asked"
        )
        self.path = path


class KeystoreMissingError(ExecutionError):
    """No keystore is named, and without one nothing can be signed."""

    def __init__(self) -> None:
        super().__init__(
            "no keystore is set; make one with `sluice keystore new` and name it as signer.keystore, "
            "or run with --dry-run"
        )


class KeystoreExistsError(ExecutionError):
    """A keystore would be overwritten, and with it perhaps the only copy of a key."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} exists and is not overwritten; choose another file")
        self.path = path


class PrivateKeyInvalidError(ExecutionError):
    """What was to be imported is no private key. The text itself is not shown."""

    def __init__(self, fault: str) -> None:
        super().__init__(f"this is no private key: {fault}; it must be 64 hex digits, with or without 0x")
        self.fault = fault


# --------------------------------------------------------------------------------------- ledger


class LedgerError(SluiceError):
    """The database of decisions and transactions."""


class LedgerUnavailableError(LedgerError):
    """The database cannot be opened, read or written: locked, full, read-only, or no database."""

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(f"the ledger {path} cannot be used: {detail}; check the disk and ledger.path")
        self.path = path
        self.detail = detail


class LedgerInUseError(LedgerError):
    """Another process writes to this ledger; two writers of one nonce would send actions twice."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"the ledger {path} is in use by another keeper; stop it, or give this one its own ledger.path"
        )
        self.path = path


class LedgerMismatchError(LedgerError):
    """The ledger was written by another version of the keeper, or for another chain.

    Parameters
    ----------
    path : str
        The file.
    what : str
        What differs.
    found, wanted : str
        What the ledger says, and what would fit.
    """

    def __init__(self, path: str, what: str, found: str, wanted: str) -> None:
        super().__init__(
            f"the ledger {path} has {what} {found}, this run wants {wanted}; "
            "name another file in ledger.path, or move this one away"
        )
        self.path = path
        self.what = what
        self.found = found
        self.wanted = wanted


class DuplicateTransactionError(LedgerError):
    """A transaction would use a nonce or an idempotency key that another one has."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"refused to send an action twice: {detail}")
        self.detail = detail


class DecisionNotFoundError(LedgerError):
    """The ledger holds no decision on an account, or none on the block asked for.

    Parameters
    ----------
    account : str
        Whose.
    block : int or None
        The block asked for; None for any.
    nearest : sequence of int
        Blocks next to it on which a decision on the account was recorded.
    """

    def __init__(self, account: str, block: int | None = None, nearest: Sequence[int] = ()) -> None:
        if nearest:
            blocks = " and ".join(str(number) for number in nearest)
            detail = (
                f"on {account} at block {block}; nearest: {blocks} (an account that waits for the same "
                "reasons as before is not written down again)"
            )
        else:
            detail = (
                f"on {account}: while the keeper watched it was never liquidatable; `sluice status` lists "
                "the accounts nearest to it"
            )
        super().__init__(f"the ledger holds no decision {detail}")
        self.account = account
        self.block = block
        self.nearest = tuple(nearest)


# --------------------------------------------------------------------------------------- config


class ConfigError(SluiceError):
    """What the operator set."""


class ConfigFileError(ConfigError):
    """A file that the settings come from, or that they name, cannot be used."""

    def __init__(self, path: str, fault: str) -> None:
        super().__init__(f"the file {path} cannot be used: {fault}; correct the file or the path")
        self.path = path
        self.fault = fault


class ConfigValueError(ConfigError):
    """Values that their settings do not take.

    Parameters
    ----------
    problems : list of (name, value, fault)
        All of them; the value of a secret setting is masked.
    """

    def __init__(self, problems: list[tuple[str, str, str]]) -> None:
        lines = [f"{name} = {value}: {fault}" for name, value, fault in problems]
        super().__init__("the settings are not usable: " + "; ".join(lines))
        self.problems = problems


class UnknownSettingError(ConfigError):
    """A setting that does not exist.

    Parameters
    ----------
    name : str
        As it was written.
    source : str
        The file, or the environment.
    closest : str or None
        The known setting that looks most like it.
    """

    def __init__(self, name: str, source: str, closest: str | None) -> None:
        advice = f"did you mean {closest}?" if closest else "`sluice config show` lists what there is"
        super().__init__(f"{source} sets {name}, which is no setting; {advice}")
        self.name = name
        self.source = source
        self.closest = closest


# ------------------------------------------------------------------------------------------ ops


class OpsError(SluiceError):
    """Running the daemon."""


class AcknowledgerUnreachableError(OpsError):
    """Whoever was to be told of each head does not listen."""

    def __init__(self, host: str, port: int, detail: str) -> None:
        super().__init__(
            f"cannot report to {host}:{port}: {detail}; replay.acknowledge_to names the replay that drives "
            "the chain, leave it out where there is none"
        )
        self.host = host
        self.port = port
        self.detail = detail
