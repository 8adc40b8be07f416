"""Whether contracts are where a deployment says they are."""

from collections.abc import Mapping

from eth_hash.auto import keccak

from bot.chain import codec
from bot.errors import CodeMismatchError, RpcError
from bot.ports import Address, Head, Rpc, RpcCall


async def check_code(rpc: Rpc, contracts: Mapping[str, tuple[Address, str]], head: Head) -> None:
    """Compare the code on chain with what was deployed.

    A development node that was started anew has the same chain id and none of the contracts; reading
    from empty addresses would look like an empty book.

    Parameters
    ----------
    rpc : Rpc
        The node.
    contracts : mapping
        Address and Keccak-256 of the code, by name.
    head : Head
        Where to look.

    Raises
    ------
    CodeMismatchError
        For the first contract that differs.
    """
    names = list(contracts)
    calls = [RpcCall("eth_getCode", [contracts[name][0], codec.at(head)]) for name in names]
    for name, answer in zip(names, await rpc.batch(calls), strict=True):
        if isinstance(answer, RpcError):
            raise answer
        code = codec.data(answer, "eth_getCode")
        address, expected = contracts[name]
        found = "0x" + keccak(code).hex()
        if not code or found != expected.lower():
            raise CodeMismatchError(name, address, expected, found if code else "no code at all")
