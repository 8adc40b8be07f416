"""What real nodes say to transactions that they do not take, in the words of our table."""

from collections.abc import AsyncIterator, Iterator

import pytest
from eth_account import Account

from bot.chain.client import RpcClient
from bot.chain.endpoint import Endpoint
from bot.execution.broadcast import Word, broadcast
from bot.execution.fees import Fees
from bot.execution.signer import KeystoreSigner, Unsigned
from bot.ports import Address, Call, Signed
from tests.support.anvil import Client, anvil
from tests.support.hardhat import hardhat
from tests.support.landing import CHAIN_ID, GWEI, KEEPER, KEY, port_of

pytestmark = [pytest.mark.node]

FEES = Fees(100 * GWEI, 10 * GWEI)


@pytest.fixture(params=["anvil", pytest.param("hardhat", marks=pytest.mark.slow)])
def node(request: pytest.FixtureRequest) -> Iterator[Client]:
    if request.param == "hardhat":
        with hardhat() as client:
            client.call("evm_setAutomine", False)
            yield client
    else:
        with anvil("--no-mining", "--hardfork", "prague", "--chain-id", str(CHAIN_ID)) as client:
            yield client


@pytest.fixture
async def rpc(node: Client) -> AsyncIterator[RpcClient]:
    async with RpcClient(Endpoint.parse(f"http://127.0.0.1:{port_of(node)}"), CHAIN_ID) as client:
        yield client


async def signed(
    nonce: int, fees: Fees = FEES, *, key: str = KEY, gas: int = 50_000, value: int = 0
) -> Signed:
    call = Call(Address(KEEPER), b"", value)
    return await KeystoreSigner(Account.from_key(key)).sign(Unsigned(call, CHAIN_ID, nonce, gas, fees))


async def test_refusals_are_understood(node: Client, rpc: RpcClient) -> None:
    async def word(transaction: Signed) -> Word:
        (answer,) = await broadcast(rpc, [transaction])
        assert answer.word is not Word.UNKNOWN, answer.reason
        return answer.word

    first = await signed(0)
    assert await word(first) is Word.TAKEN
    assert await word(first) is Word.KNOWN
    assert await word(await signed(0, value=1)) is Word.OUTBID
    assert await word(await signed(0, Fees(130 * GWEI, 13 * GWEI))) is Word.TAKEN
    assert await word(await signed(1, key="0x" + "77" * 32)) is Word.FUNDS
    assert await word(await signed(1, gas=20_000)) is Word.INVALID
    assert await word(await signed(1, gas=10**9)) is Word.INVALID
    assert await word(await signed(1, Fees(GWEI, 2 * GWEI))) is Word.INVALID
    node.call("evm_mine")
    assert await word(await signed(0)) is Word.NONCE_USED
