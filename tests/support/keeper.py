"""Builders of what the keeper's layers exchange."""

from bot.ports import Address, Call, Hash32, Head, Intent, Receipt, Signed

KEEPER = Address("0x00000000000000000000000000000000000000A1")
ENGINE = Address("0x00000000000000000000000000000000000000E1")


def a_hash(number: int, branch: int = 0) -> Hash32:
    """Return the hash of a block of a made-up chain."""
    return Hash32(f"0x{branch:032x}{number:032x}")


def a_head(number: int, branch: int = 0, *, base_fee: int = 10**9, parent_branch: int | None = None) -> Head:
    """Return a head whose parent is the head one below, on the same branch unless told otherwise."""
    return Head(
        number=number,
        hash=a_hash(number, branch),
        parent_hash=a_hash(number - 1, branch if parent_branch is None else parent_branch)
        if number
        else a_hash(0, 2**120),
        timestamp=1_600_000_000 + 12 * number,
        base_fee_per_gas=base_fee,
    )


def an_intent(
    key: str = "key",
    account: str = "0xborrower",
    *,
    expected_profit: int = 10**18,
    value: int = 0,
    gas_limit: int | None = None,
    data: bytes = b"\x01\x02\x03\x04",
) -> Intent:
    """Return an intent to call the engine."""
    call = Call(to=ENGINE, data=data, value=value, gas_limit=gas_limit)
    return Intent(key=key, protocol="sluice", account=account, call=call, expected_profit=expected_profit)


def a_signature(nonce: int) -> Signed:
    """Return a signed transaction, as far as the ledger looks at it."""
    return Signed(
        raw=b"\x02" + nonce.to_bytes(4, "big"),
        hash=Hash32(f"0x{'ab' * 28}{nonce:08x}"),
        nonce=nonce,
        gas_limit=100_000,
        max_fee_per_gas=3 * 10**9,
        max_priority_fee_per_gas=10**9,
    )


def a_receipt(hash_: Hash32, block: int, *, succeeded: bool = True) -> Receipt:
    """Return the receipt of a transaction included in ``block``."""
    return Receipt(
        transaction_hash=hash_,
        block_hash=a_hash(block),
        block_number=block,
        succeeded=succeeded,
        gas_used=90_000,
        effective_gas_price=2 * 10**9,
        logs=(),
    )
