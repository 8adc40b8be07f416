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
    │   ├── EndpointBusyError               it turned a request away again and again
    │   ├── WrongChainError                 the endpoint serves another chain
    │   ├── RpcError                        the node answered with an error
    │   ├── MalformedAnswerError            the node answered with something else than asked for
    │   ├── HeadChainBrokenError            heads that do not link, again and again
    │   ├── HeadGapError                    more heads were missed than are made up
    │   ├── ReorgTooDeepError               no common ancestor among the heads remembered
    │   └── StartRefusedError               the node failed the start until its time was over
    ├── ProtocolError                       what a protocol's contracts and manifest say
    │   ├── ManifestError                   a manifest that is missing, malformed, or of another chain
    │   ├── LogMalformedError               a log that is not the event it claims to be
    │   ├── BookDivergedError               the book kept from logs contradicts the chain
    │   ├── BookIncompleteError             accounts that do not add up to the totals
    │   └── CheckpointInvalidError          a checkpoint that this program cannot go on from
    ├── ReplayError                         the laboratory: input files, processes, set-up
    │   ├── PriceFileError                  a row of a price file that cannot be a price
    │   ├── BookFileError                   a row of a book that cannot be an account
    │   ├── ReplayOptionError               an option outside what it may be
    │   ├── LocalNodeError                  the replay's own node: missing, port in use, ended
    │   ├── SetupError                      deployment or seeding did not go through
    │   ├── KeeperProcessError              the keeper's process ended or never spoke
    │   ├── MeasurementError                what was measured contradicts the chain
    │   ├── TapeError                       a recording that cannot be written or read
    │   ├── DecisionsDivergedError          a recording that leads to other decisions now
    │   └── ChaosAddressError               the fault-injecting proxy cannot listen there
    ├── ConfigError                         what the operator set
    │   ├── ConfigFileError                 a file that is missing, unreadable or malformed
    │   ├── ConfigValueError                a value that its setting does not take
    │   └── UnknownSettingError             a setting that does not exist
    ├── OpsError                            running the daemon
    │   ├── AcknowledgerUnreachableError    whoever drives the chain does not listen
    │   ├── MonitorAddressError             metrics cannot be served where they were to be
    │   ├── TerminalMissingError            a live view has no terminal to draw on
    │   └── RehearsalError                  a rehearsal cannot be staged
    ├── ExecutionError                      landing transactions
    │   ├── KeystoreInvalidError            no file, or no keystore
    │   ├── KeystorePasswordError           the password does not open the keystore
    │   ├── PasswordNotAskedError           a password is needed, and there is no terminal
    │   ├── KeystoreMissingError            no keystore is named, and a key is needed
    │   ├── KeystoreExistsError             a keystore would be overwritten
    │   ├── KeystoreNotWrittenError         a keystore cannot be written there
    │   ├── PrivateKeyInvalidError          what was to be imported is no private key
    │   ├── RemoteKeyMissingError           a remote signer has no key of the account
    │   ├── SignatureInvalidError           a remote signer signed something else
    │   └── HaltNotFoundError               there is nothing to resume
    ├── RfqError                            dealers: asking for quotes, and giving them
    │   ├── QuoteMessageError               a message that is not what the protocol says
    │   ├── QuoteDeclinedError              a dealer gives no quote
    │   ├── QuoteInvalidError               a quote that was altered, forged or replayed
    │   │   └── QuoteVoidError              a quote that is spent, cancelled, or cannot be paid at this head
    │   ├── DealerUnreachableError          no answer in time, or none at all
    │   ├── DealerAddressError              quotes cannot be served where they were to be
    │   ├── DealerLedgerError               the dealer's own ledger cannot be used
    │   └── HedgeError                      no pool to hedge in, or none deep enough
    └── LedgerError                         the database of decisions and transactions
        ├── LedgerUnavailableError          not there, not writable, not a database
        │   ├── LedgerLockedError           another process keeps a lock for too long
        │   └── LedgerFullError             the disk under it is full
        ├── LedgerInUseError                another keeper holds the lease, and this one is not to wait
        ├── LeaseLostError                  this process may not write, or no longer
        ├── LedgerMismatchError             written by another version, or for another chain
        │   ├── LedgerNewerError            its tables are a newer program's
        │   └── LedgerOutdatedError         its tables are an older program's, and it is only to be read
        ├── LedgerHalfMigratedError         its tables are not those of the revision that it names
        ├── LedgerValueError                a value that does not fit its column
        ├── LedgerCorruptError              a row that is not what was written there
        ├── DuplicateTransactionError       a nonce or a key would be used twice
        └── DecisionNotFoundError           no decision on that account, or none on that block

Every error carries the value that caused it and, where there is one, the fix.
"""

from bot.errors.chain import (
    ChainError,
    EndpointBusyError,
    EndpointInvalidError,
    EndpointUnreachableError,
    HeadChainBrokenError,
    HeadGapError,
    MalformedAnswerError,
    ReorgTooDeepError,
    RpcError,
    StartRefusedError,
    WrongChainError,
)
from bot.errors.config import ConfigError, ConfigFileError, ConfigValueError, UnknownSettingError
from bot.errors.domain import (
    CollateralExhaustedError,
    CorrelationError,
    DomainError,
    InvalidInputError,
    LiquidityExhaustedError,
    TargetHealthUnreachableError,
)
from bot.errors.execution import (
    ExecutionError,
    HaltNotFoundError,
    KeystoreExistsError,
    KeystoreInvalidError,
    KeystoreMissingError,
    KeystoreNotWrittenError,
    KeystorePasswordError,
    PasswordNotAskedError,
    PrivateKeyInvalidError,
    RemoteKeyMissingError,
    SignatureInvalidError,
)
from bot.errors.laboratory import (
    BookFileError,
    ChaosAddressError,
    DecisionsDivergedError,
    KeeperProcessError,
    LocalNodeError,
    MeasurementError,
    PriceFileError,
    ReplayError,
    ReplayOptionError,
    SetupError,
    TapeError,
)
from bot.errors.ledger import (
    DecisionNotFoundError,
    DuplicateTransactionError,
    LeaseLostError,
    LedgerCorruptError,
    LedgerError,
    LedgerFullError,
    LedgerHalfMigratedError,
    LedgerInUseError,
    LedgerLockedError,
    LedgerMismatchError,
    LedgerNewerError,
    LedgerOutdatedError,
    LedgerUnavailableError,
    LedgerValueError,
)
from bot.errors.ops import (
    AcknowledgerUnreachableError,
    MonitorAddressError,
    OpsError,
    RehearsalError,
    TerminalMissingError,
)
from bot.errors.protocols import (
    BookDivergedError,
    BookIncompleteError,
    CheckpointInvalidError,
    LogMalformedError,
    ManifestError,
    ProtocolError,
)
from bot.errors.rfq import (
    DealerAddressError,
    DealerLedgerError,
    DealerUnreachableError,
    HedgeError,
    QuoteDeclinedError,
    QuoteInvalidError,
    QuoteMessageError,
    QuoteVoidError,
    RfqError,
)
from bot.errors.root import SluiceError

__all__ = [
    "AcknowledgerUnreachableError",
    "BookDivergedError",
    "BookFileError",
    "BookIncompleteError",
    "ChainError",
    "ChaosAddressError",
    "CheckpointInvalidError",
    "CollateralExhaustedError",
    "ConfigError",
    "ConfigFileError",
    "ConfigValueError",
    "CorrelationError",
    "DealerAddressError",
    "DealerLedgerError",
    "DealerUnreachableError",
    "DecisionNotFoundError",
    "DecisionsDivergedError",
    "DomainError",
    "DuplicateTransactionError",
    "EndpointBusyError",
    "EndpointInvalidError",
    "EndpointUnreachableError",
    "ExecutionError",
    "HaltNotFoundError",
    "HeadChainBrokenError",
    "HeadGapError",
    "HedgeError",
    "InvalidInputError",
    "KeeperProcessError",
    "KeystoreExistsError",
    "KeystoreInvalidError",
    "KeystoreMissingError",
    "KeystoreNotWrittenError",
    "KeystorePasswordError",
    "LeaseLostError",
    "LedgerCorruptError",
    "LedgerError",
    "LedgerFullError",
    "LedgerHalfMigratedError",
    "LedgerInUseError",
    "LedgerLockedError",
    "LedgerMismatchError",
    "LedgerNewerError",
    "LedgerOutdatedError",
    "LedgerUnavailableError",
    "LedgerValueError",
    "LiquidityExhaustedError",
    "LocalNodeError",
    "LogMalformedError",
    "MalformedAnswerError",
    "ManifestError",
    "MeasurementError",
    "MonitorAddressError",
    "OpsError",
    "PasswordNotAskedError",
    "PriceFileError",
    "PrivateKeyInvalidError",
    "ProtocolError",
    "QuoteDeclinedError",
    "QuoteInvalidError",
    "QuoteMessageError",
    "QuoteVoidError",
    "RehearsalError",
    "RemoteKeyMissingError",
    "ReorgTooDeepError",
    "ReplayError",
    "ReplayOptionError",
    "RfqError",
    "RpcError",
    "SetupError",
    "SignatureInvalidError",
    "SluiceError",
    "StartRefusedError",
    "TapeError",
    "TargetHealthUnreachableError",
    "TerminalMissingError",
    "UnknownSettingError",
    "WrongChainError",
]
