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
