"""The tokens that every protocol is measured with."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.gas.chain import Chain
from scripts.deployment.artifacts import Artifact, ForgeArtifacts

ETH_PRICE = 2_000
"""US dollars per WETH before the fall."""
UNLIMITED = 2**256 - 1


@dataclass(frozen=True)
class Market:
    """WETH and USDC, held in plenty by every account of the node: each measurement is of the steady state.

    Parameters
    ----------
    chain : Chain
        Where.
    token : Artifact
        Of both.
    weth, usdc : str
        Addresses.
    """

    chain: Chain
    token: Artifact
    weth: str
    usdc: str

    @property
    def assets(self) -> Sequence[tuple[str, str, int]]:
        """Symbol, address and decimals of each."""
        return [("WETH", self.weth, 18), ("USDC", self.usdc, 6)]

    def approve(self, spender: str) -> None:
        """Let a protocol pull both tokens from every account, without limit."""
        for account in range(len(self.chain.accounts)):
            for token in (self.weth, self.usdc):
                self.chain.gas(account, token, self.token, "approve", spender, UNLIMITED)


def open_market(chain: Chain) -> Market:
    """Deploy both tokens and hand them out."""
    token = ForgeArtifacts().own("FaucetToken")
    weth = chain.deploy(token, "Wrapped Ether", "WETH", 18)
    usdc = chain.deploy(token, "USD Coin", "USDC", 6)
    for account in chain.accounts:
        chain.send(weth, token, "mint", account, 10**24)
        chain.send(usdc, token, "mint", account, 10**15)
    return Market(chain, token, weth, usdc)
