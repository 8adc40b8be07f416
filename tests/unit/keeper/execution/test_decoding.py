"""What the ledger says was signed, held against the bytes that were."""

from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account

from bot.errors import LedgerCorruptError
from bot.execution.decoding import check_journalled, decoded
from bot.execution.fees import Fees
from bot.execution.signer import KeystoreSigner, Unsigned
from bot.ports import Address, Call, Hash32, Outcome, Signed, Transaction
from tests.support.keeper import an_intent

KEY = "0x" + "11" * 32
SIGNER = KeystoreSigner(Account.from_key(KEY))
OTHER = Address(Account.from_key("0x" + "22" * 32).address)


async def a_row(**changes: Any) -> Transaction:
    """Return a row as it was journalled, some columns changed since."""
    call = Call(Address("0x" + "AA" * 20), b"\x01\x02", 5)
    signed = await SIGNER.sign(Unsigned(call, 31337, 7, 100_000, Fees(3 * 10**9, 10**9)))
    columns = {name: value for name, value in changes.items() if name in Signed.__dataclass_fields__}
    others = {name: value for name, value in changes.items() if name not in columns}
    row = Transaction(
        4, an_intent(), SIGNER.address, 9, Outcome.SUBMITTED, "", replace(signed, **columns), *[None] * 5
    )
    return replace(row, **others)


async def test_what_is_as_it_was_signed_passes() -> None:
    check_journalled([await a_row(), await a_row(signed=None, outcome=Outcome.PLANNED)])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"nonce": 8}, "its nonce is 8, its bytes say 7"),
        ({"gas_limit": 1}, "its gas is 1, its bytes say 100000"),
        ({"max_fee_per_gas": 1}, "its maxFeePerGas is 1"),
        ({"max_priority_fee_per_gas": 2}, "its maxPriorityFeePerGas is 2"),
        ({"raw": b"\x02\x00"}, "do not have the hash"),
        ({"hash": Hash32("0x" + "00" * 32)}, "do not have the hash"),
        ({"signer": OTHER}, f"its bytes are signed by {SIGNER.address}"),
    ],
)
async def test_a_column_that_its_bytes_contradict_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(LedgerCorruptError, match=f"row 4 of transactions .*{problem}"):
        check_journalled([await a_row(**changes)])


@pytest.mark.parametrize(
    "raw", [b"", b"\x02", b"\x02\xc0", b"\x01" * 90, bytes(range(200)), b"\x02\xf8" + b"\x7f" * 99]
)
def test_bytes_that_are_no_transaction_are_refused_and_nothing_else(raw: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        decoded(raw)
