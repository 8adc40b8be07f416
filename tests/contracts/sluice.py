"""The deployed system as the tests speak of it: assets by symbol, whole tokens, dollars."""

from decimal import Decimal

from scripts.deployment.ape_deployer import container
from scripts.deployment.artifacts import ForgeArtifacts

MAX = 2**256 - 1
WAD = 10**18
FEED_UNIT = 10**8


def contract(name):
    """Return what forge compiled, as ape knows it."""
    return container(ForgeArtifacts().own(name))


class Sluice:
    """Contracts of a manifest, and the few things that every flow does."""

    def __init__(self, chain, manifest, governor):
        self.chain = chain
        self.manifest = manifest
        self.governor = governor
        self.house = contract("ClearingHouse").at(manifest["clearing_house"])
        self.engine = contract("LiquidationEngine").at(manifest["liquidation_engine"])
        self.oracle = contract("PriceOracle").at(manifest["price_oracle"])
        self.venue = contract("UniswapV3Venue").at(manifest["uniswap_v3_venue"])
        self.flash_taker = contract("FlashTaker").at(manifest["flash_taker"])
        self.lens = contract("PositionLens").at(manifest["position_lens"])
        self.market_depth = contract("MarketDepth").at(manifest["market_depth"])
        self.insurance_funds = {
            s: contract("InsuranceFund").at(a) for s, a in manifest["insurance_funds"].items()
        }
        self.supply_vaults = {s: contract("SupplyVault").at(a) for s, a in manifest["supply_vaults"].items()}
        self.assets = {asset["symbol"]: asset for asset in manifest["assets"]}
        self.tokens = {s: contract("FaucetToken").at(a["token"]) for s, a in self.assets.items()}
        self.feeds = {s: contract("MockAggregator").at(a["feed"]) for s, a in self.assets.items()}

    def id(self, symbol):
        return self.assets[symbol]["id"]

    def units(self, symbol, whole):
        return int(Decimal(str(whole)) * 10 ** self.assets[symbol]["decimals"])

    def fund(self, symbol, holder, whole):
        """Give ``holder`` tokens and let the clearing house pull them."""
        token = self.tokens[symbol]
        token.mint(holder, self.units(symbol, whole), sender=holder)
        token.approve(self.house, MAX, sender=holder)

    def publish(self, **dollars):
        """Publish a round of each feed named, at the present time."""
        for symbol, price in dollars.items():
            now = self.chain.pending_timestamp
            self.feeds[symbol].publish(round(price * FEED_UNIT), now, sender=self.governor)

    def deposit(self, account, symbol, whole):
        self.house.depositCollateral(self.id(symbol), self.units(symbol, whole), account, sender=account)

    def borrow(self, account, symbol, whole):
        self.house.borrow(self.id(symbol), self.units(symbol, whole), account, account, sender=account)

    def open(self, account, collateral, debt):
        """Open a position: ``collateral`` and ``debt`` are (symbol, whole) pairs."""
        self.deposit(account, *collateral)
        self.borrow(account, *debt)

    def kick(self, account, *symbols, sender):
        return self.engine.kick(account, [self.id(s) for s in symbols], sender=sender)

    def wait(self, seconds):
        """Let time pass, with every feed republishing its last answer so that none is stale."""
        self.chain.mine(deltatime=seconds)
        for symbol, feed in self.feeds.items():
            answer = feed.latestRoundData()[1]
            self.publish(**{symbol: answer / FEED_UNIT})

    def health(self, account):
        return self.house.healthFactor(account) / WAD

    def debt(self, account, symbol):
        """Debt with interest, token units."""
        legs = self.house.accountState(account).legs
        return sum(leg.debt for leg in legs if leg.assetId == self.id(symbol))

    def collateral(self, account, symbol):
        return self.house.balanceOf(account, self.id(symbol))[0]

    def identity_gap(self, symbol):
        """Assets less claims of one asset; zero by the accounting identity."""
        m = self.house.market(self.id(symbol))
        claims = m.totalSupplyAssets + m.reserveAssets + m.creditAssets + m.collateralAssets
        return m.cash + m.totalBorrowAssets - claims
