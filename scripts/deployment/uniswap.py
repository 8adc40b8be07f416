"""Uniswap V3 from its npm packages: factory, periphery and pools."""

from fractions import Fraction
from math import isqrt

from scripts.deployment.artifacts import Artifact, Artifacts
from scripts.deployment.config import AssetConfig, DeploymentConfig, PoolConfig
from scripts.deployment.deployer import Deployer

ZERO_ADDRESS = "0x" + "00" * 20
FACTORY = "@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json"
POOL = "@uniswap/v3-core/artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json"
PERIPHERY = "@uniswap/v3-periphery/artifacts/contracts"
POSITION_MANAGER = f"{PERIPHERY}/NonfungiblePositionManager.sol/NonfungiblePositionManager.json"
SWAP_ROUTER = f"{PERIPHERY}/SwapRouter.sol/SwapRouter.json"
QUOTER = f"{PERIPHERY}/lens/QuoterV2.sol/QuoterV2.json"


def sqrt_price_x96(price0_in_1: Fraction) -> int:
    """Return the pool's starting price, rounded down.

    Parameters
    ----------
    price0_in_1 : Fraction
        Smallest units of token1 per smallest unit of token0.
    """
    return isqrt((price0_in_1.numerator << 192) // price0_in_1.denominator)


def starting_price(base: AssetConfig, quote: AssetConfig, base_is_token0: bool) -> int:
    """Return the ``sqrtPriceX96`` at which a pool agrees with the feeds."""
    price = Fraction(base.price) / Fraction(quote.price) * Fraction(10**quote.decimals, 10**base.decimals)
    return sqrt_price_x96(price if base_is_token0 else 1 / price)


def deploy_uniswap(deployer: Deployer, artifacts: Artifacts, wrapped_native: str) -> dict[str, str]:
    """Deploy factory, position manager, router and quoter; return their addresses by manifest name."""
    factory = deployer.deploy(artifacts.npm(FACTORY))
    return {
        "factory": factory,
        "position_manager": deployer.deploy(
            artifacts.npm(POSITION_MANAGER), factory, wrapped_native, ZERO_ADDRESS
        ),
        "swap_router": deployer.deploy(artifacts.npm(SWAP_ROUTER), factory, wrapped_native),
        "quoter": deployer.deploy(artifacts.npm(QUOTER), factory, wrapped_native),
    }


def create_pool(
    deployer: Deployer,
    artifacts: Artifacts,
    factory: str,
    tokens: dict[str, str],
    pool: PoolConfig,
    config: DeploymentConfig,
) -> str:
    """Create a pool at the feeds' prices, with room for observations and no liquidity; return its address."""
    maker: Artifact = artifacts.npm(FACTORY)
    base, quote = tokens[pool.base], tokens[pool.quote]
    deployer.send(factory, maker, "createPool", base, quote, pool.fee_pips)
    address = str(deployer.call(factory, maker, "getPool", base, quote, pool.fee_pips))
    price = starting_price(config.asset(pool.base), config.asset(pool.quote), int(base, 16) < int(quote, 16))
    market = artifacts.npm(POOL)
    deployer.send(address, market, "initialize", price)
    deployer.send(address, market, "increaseObservationCardinalityNext", config.observation_cardinality)
    return address
