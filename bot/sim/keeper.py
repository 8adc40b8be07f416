"""The keeper's side of a replay: a key, a keystore, a configuration and a command."""

import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from eth_account import Account as Keys
from eth_utils.crypto import keccak

from bot.sim.world import World

KEYSTORE_ITERATIONS = 10_000
"""Of the key derivation. The key moves nothing of worth and the file lives as long as the replay."""

REQUESTS_PER_SECOND = 20_000
"""The node is the replay's own; a public one's budget would only slow the lockstep down."""

LEDGER_FILE = "keeper.sqlite"
"""The keeper's ledger, in the folder of its configuration."""

FEE_CAP_MULTIPLE = 4
SMALLEST_FEE_CAP_GWEI = 500
CLEAN_ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
"""All that the keeper sees of the environment, so that no variable of the user's changes a replay."""


@dataclass(frozen=True, slots=True)
class SluiceKeeper:
    """Runs ``sluice keeper run``.

    Parameters
    ----------
    seed : int
        Of the replay; the key follows from it.
    gas_price_gwei : float
        Base fee of the replay's blocks; the keeper's cap is set above it.
    """

    seed: int
    gas_price_gwei: float

    @property
    def _key(self) -> bytes:
        return keccak(text=f"sluice keeper {self.seed}")

    @property
    def address(self) -> str:
        """Checksummed address that the keeper sends from."""
        return str(Keys.from_key(self._key).address)

    def start(self, world: World, acknowledge_to: str, folder: Path) -> tuple[Sequence[str], dict[str, str]]:
        """Write keystore and configuration into a folder; return command and environment."""
        password = secrets.token_hex(16)
        keystore = Keys.encrypt(self._key, password, kdf="pbkdf2", iterations=KEYSTORE_ITERATIONS)
        _write_private(folder / "keystore.json", orjson.dumps(keystore))
        _write_private(folder / "password.txt", password.encode())
        config = folder / "sluice.toml"
        _write_private(config, self.configuration(world, acknowledge_to).encode())
        command = Path(sys.executable).with_name("sluice")
        return [str(command), "keeper", "run", "--config", str(config)], dict(CLEAN_ENVIRONMENT)

    def configuration(self, world: World, acknowledge_to: str) -> str:
        """Return the configuration, TOML; its files lie beside it."""
        cap = max(SMALLEST_FEE_CAP_GWEI, round(FEE_CAP_MULTIPLE * self.gas_price_gwei))
        return f"""\
manifest = "{world.manifest_path.name}"

[chain]
endpoint = "{world.anvil.ws_url}"
chain_id = {world.manifest.chain_id}
requests_per_second = {REQUESTS_PER_SECOND}

[ledger]
path = "{LEDGER_FILE}"

[signer]
keystore = "keystore.json"
password_file = "password.txt"

[fees]
tip_gwei = 1
cap_gwei = {cap}

[replay]
acknowledge_to = "{acknowledge_to}"

[log]
format = "console"
level = "info"
"""


def _write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read."""
    path.touch(mode=0o600)
    path.write_bytes(data)
