"""Opening a book: keys, signatures and calldata."""

from eth_account import Account as Keys
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from bot import abi
from bot.protocols.decoding import decode
from bot.sim import market, seeding
from bot.sim.abi import call_data, split_types
from bot.sim.book import Account, Book
from bot.sim.generator import generate_book
from bot.sim.seeding import BATCH, Lending, account_address, account_key, seeding_transactions, supplies
from tests.support.replays import HOUSE, SMALLEST_BORROW, TERMS, address

SEEDER = address(0x5EED)
TOKENS = {symbol: address(0xB0 + terms.asset_id) for symbol, terms in TERMS.items()}
LENDING = Lending(31_337, HOUSE, TOKENS, TERMS, SMALLEST_BORROW)
BOOK = Book(
    (
        Account("a", (("WETH", 10), ("WBTC", 5)), (("USDC", 300),)),
        Account("b", (("USDC", 1_000),), (("WETH", 4),)),
    ),
    "test",
)


def selector(signature: str) -> bytes:
    return keccak(text=signature)[:4]


def test_keys_follow_from_seed_and_name() -> None:
    assert account_key(1, "a") == account_key(1, "a")
    assert len({account_key(1, "a"), account_key(2, "a"), account_key(1, "b")}) == 3
    assert account_address(1, "a") == Keys.from_key(account_key(1, "a")).address


def test_an_operators_approval_is_signed_by_the_account_over_the_houses_domain() -> None:
    signature = seeding.operator_signature(LENDING, account_key(1, "a"), SEEDER)
    fields = [("account", "address"), ("operator", "address"), ("approved", "bool"), ("nonce", "uint256")]
    signable = encode_typed_data(
        domain_data={
            "name": "Sluice ClearingHouse",
            "version": "1",
            "chainId": 31_337,
            "verifyingContract": HOUSE,
        },
        message_types={
            "SetOperator": [{"name": n, "type": t} for n, t in [*fields, ("deadline", "uint256")]]
        },
        message_data={
            "account": account_address(1, "a"),
            "operator": SEEDER,
            "approved": True,
            "nonce": 0,
            "deadline": 2**256 - 1,
        },
    )
    assert Keys.recover_message(signable, signature=signature) == account_address(1, "a")


def test_what_is_lent_leaves_the_pool_used_to_three_quarters() -> None:
    assert supplies(BOOK) == {"USDC": 400, "WETH": 6}


def test_tokens_are_minted_for_collateral_and_supply_together() -> None:
    sent = list(seeding_transactions(LENDING, BOOK, 1, SEEDER))
    minted = {
        to: decode(["address", "uint256"], data[4:])[1]
        for to, data in sent
        if data[:4] == selector("mint(address,uint256)")
    }
    assert minted == {TOKENS["WETH"]: 16, TOKENS["WBTC"]: 5, TOKENS["USDC"]: 1_400}


def test_each_account_is_approved_then_filled_then_borrows_to_itself() -> None:
    *_, (to, data) = seeding_transactions(LENDING, BOOK, 1, SEEDER)
    assert to == HOUSE
    assert data[:4] == selector("multicall(bytes[])")
    (calls,) = decode(["bytes[]"], data[4:])
    deposit, borrow = (
        selector("depositCollateral(uint8,uint256,address)"),
        selector("borrow(uint8,uint256,address,address)"),
    )
    approve = selector("setOperatorBySig(address,address,bool,uint256,bytes)")
    assert [call[:4] for call in calls] == [approve, deposit, deposit, borrow, approve, deposit, borrow]
    owner = account_address(1, "b").lower()
    assert decode(["uint8", "uint256", "address"], calls[5][4:]) == (2, 1_000, owner)
    assert decode(["uint8", "uint256", "address", "address"], calls[6][4:]) == (0, 4, owner, owner)


def test_a_large_book_is_opened_in_batches_that_fit_a_block() -> None:
    book = generate_book(2 * BATCH + 1, 1, TERMS, SMALLEST_BORROW)
    sent = seeding_transactions(LENDING, book, 1, SEEDER)
    assert sum(data[:4] == selector("multicall(bytes[])") for _, data in sent) == 3


def test_every_function_that_is_called_exists_in_the_contracts() -> None:
    from eth_utils.abi import function_abi_to_4byte_selector

    known = {
        function_abi_to_4byte_selector(entry)
        for name in ("clearing_house", "liquidation_engine", "position_lens", "price_oracle")
        for entry in abi.load(name)
        if entry["type"] == "function"
    }
    for signature in (
        "assetParameters(uint8)",
        "smallestBorrow()",
        "setOperatorBySig(address,address,bool,uint256,bytes)",
        "depositCollateral(uint8,uint256,address)",
        "borrow(uint8,uint256,address,address)",
        "supply(uint8,uint256,address)",
        "multicall(bytes[])",
        "price(address)",
        "positions(address[])",
        "markets()",
    ):
        assert selector(signature) in known, signature


def test_types_are_split_at_commas_outside_of_tuples() -> None:
    assert split_types("uint8,(address,(bool,int24)[]),bytes") == [
        "uint8",
        "(address,(bool,int24)[])",
        "bytes",
    ]
    assert split_types("") == []


def test_calldata_is_selector_and_arguments() -> None:
    data = call_data("transfer(address,uint256)", SEEDER, 7)
    assert data == bytes.fromhex("a9059cbb") + bytes(12) + bytes.fromhex(SEEDER[2:]) + (7).to_bytes(32)
    assert call_data(market.SWAP, (SEEDER, SEEDER, 500, SEEDER, 1, 2, 3, 4))[:4] == bytes.fromhex("414bf389")
