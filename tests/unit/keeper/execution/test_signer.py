"""The key: opened by its password alone, and in no text."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes

from bot.errors import KeystoreInvalidError, KeystorePasswordError
from bot.execution.fees import Fees
from bot.execution.signer import KeystoreSigner, Unsigned, keystore_address
from bot.ports import Call
from tests.support.keeper import ENGINE

KEY = "0x" + "4c" * 32
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "keeper.json"
    path.write_text(json.dumps(Account.encrypt(KEY, PASSWORD, kdf="pbkdf2", iterations=2)))
    return path


def unsigned(nonce: int = 5) -> Unsigned:
    return Unsigned(
        Call(ENGINE, b"\x01\x02", value=7), chain_id=31337, nonce=nonce, gas_limit=90_000, fees=Fees(300, 2)
    )


def test_the_password_opens_the_keystore(keystore: Path) -> None:
    assert KeystoreSigner.unlock(keystore, PASSWORD).address == Account.from_key(KEY).address


OF_APE = f"""
from ape_accounts.accounts import import_account_from_private_key
import_account_from_private_key("keeper", "{PASSWORD}", "{KEY}")
"""


def test_an_account_of_ape_is_a_keystore(tmp_path: Path) -> None:
    environment = os.environ | {"APE_DATA_FOLDER": str(tmp_path)}
    subprocess.run(
        [sys.executable, "-c", OF_APE], env=environment, cwd=tmp_path, check=True, capture_output=True
    )
    path = tmp_path / "accounts" / "keeper.json"
    assert keystore_address(path) == Account.from_key(KEY).address
    assert KeystoreSigner.unlock(path, PASSWORD).address == Account.from_key(KEY).address


def test_a_wrong_password_is_told_without_showing_it(keystore: Path) -> None:
    with pytest.raises(KeystorePasswordError, match=r"keeper\.json") as caught:
        KeystoreSigner.unlock(keystore, "wrong horse")
    assert "wrong horse" not in str(caught.value)
    assert "password_file" in str(caught.value)


def test_the_account_is_known_without_the_password(keystore: Path) -> None:
    assert keystore_address(keystore) == Account.from_key(KEY).address


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, "no such file"),
        ("not json", "not JSON"),
        ("[]", "no crypto section"),
        ("{}", "no crypto section"),
        (KEY, "not JSON"),
        ('{"crypto": {}, "version": 3}', "cannot be decrypted|does not name its account"),
        ('{"crypto": 5, "version": 3, "address": 5}', "cannot be decrypted|does not name its account"),
        ('{"crypto": {}, "version": 9, "address": "zz"}', "cannot be decrypted|does not name its account"),
    ],
)
def test_what_is_no_keystore_is_named_with_its_fault(tmp_path: Path, text: str | None, fault: str) -> None:
    path = tmp_path / "keeper.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(KeystoreInvalidError, match=fault) as caught:
        KeystoreSigner.unlock(path, PASSWORD)
    assert KEY not in str(caught.value)
    with pytest.raises(KeystoreInvalidError, match=fault):
        keystore_address(path)


def test_a_keystore_cut_short_is_refused(keystore: Path, tmp_path: Path) -> None:
    whole = json.loads(keystore.read_text())
    del whole["crypto"]["mac"]
    (tmp_path / "cut.json").write_text(json.dumps(whole))
    with pytest.raises(KeystoreInvalidError, match="cannot be decrypted"):
        KeystoreSigner.unlock(tmp_path / "cut.json", PASSWORD)


async def test_a_signed_transaction_says_what_was_asked(keystore: Path) -> None:
    signer = KeystoreSigner.unlock(keystore, PASSWORD)
    signed = await signer.sign(unsigned())
    assert Account.recover_transaction(signed.raw) == signer.address
    read = TypedTransaction.from_bytes(HexBytes(signed.raw)).as_dict()
    assert (read["to"], read["data"], read["value"]) == (bytes.fromhex(ENGINE[2:]), b"\x01\x02", 7)
    assert (read["nonce"], read["gas"], read["chainId"]) == (5, 90_000, 31337)
    assert (read["maxFeePerGas"], read["maxPriorityFeePerGas"]) == (300, 2)
    assert (signed.nonce, signed.gas_limit) == (5, 90_000)
    assert (signed.max_fee_per_gas, signed.max_priority_fee_per_gas) == (300, 2)


async def test_the_same_transaction_is_signed_to_the_same_bytes(keystore: Path) -> None:
    signer = KeystoreSigner.unlock(keystore, PASSWORD)
    assert await signer.sign(unsigned()) == await signer.sign(unsigned())
    assert (await signer.sign(unsigned(6))).hash != (await signer.sign(unsigned())).hash


def test_no_text_of_the_signer_holds_the_key(keystore: Path) -> None:
    signer = KeystoreSigner.unlock(keystore, PASSWORD)
    assert "4c4c" not in repr(signer) + str(signer)
    assert signer.address in repr(signer)
