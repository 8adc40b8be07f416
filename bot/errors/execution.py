"""Keys, and landing transactions."""

from bot.errors.root import SluiceError


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


class PasswordNotAskedError(ExecutionError):
    """A password is needed, and there is nobody to ask.

    Parameters
    ----------
    what : str
        What it is the password of.
    fix : str
        How it is given otherwise.
    """

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"there is no terminal on which to ask for {what}; {fix}")
        self.what = what


class KeystoreMissingError(ExecutionError):
    """No keystore is named, and without one nothing can be signed.

    Parameters
    ----------
    dry_run : bool
        Whether the command can also run without one.
    """

    def __init__(self, *, dry_run: bool = True) -> None:
        otherwise = ", or run with --dry-run" if dry_run else ""
        super().__init__(
            "no keystore is set; make one with `sluice keystore new` and name it as "
            f"signer.keystore{otherwise}"
        )


class KeystoreNotWrittenError(ExecutionError):
    """A keystore cannot be written where it was to be."""

    def __init__(self, path: str, fault: str) -> None:
        super().__init__(
            f"the keystore {path} cannot be written: {fault}; choose another file, or free the way"
        )
        self.path = path
        self.fault = fault


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


class RemoteKeyMissingError(ExecutionError):
    """A remote signer holds no key of the account that it is to sign for."""

    def __init__(self, signer: str, address: str, held: int) -> None:
        super().__init__(
            f"{signer} holds {held} keys, none of them of {address}; "
            "correct signer.remote_address, or give the signer that key"
        )
        self.signer = signer
        self.address = address
        self.held = held


class SignatureInvalidError(ExecutionError):
    """A remote signer returned something else than the transaction it was asked to sign."""

    def __init__(self, signer: str, fault: str) -> None:
        super().__init__(
            f"what {signer} signed is not what was asked for: {fault}; it was not sent, and nothing is while "
            "that signer is used: check signer.remote_url, signer.remote_address and the signer's chain id"
        )
        self.signer = signer
        self.fault = fault


class HaltNotFoundError(ExecutionError):
    """There is nothing to resume."""

    def __init__(self, ledger: str) -> None:
        super().__init__(f"the keeper of the ledger {ledger} is not halted, so there is nothing to resume")
        self.ledger = ledger
