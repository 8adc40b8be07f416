"""The sections of the settings that say who sends, how, and within which limits; in the operator's units."""

from decimal import Decimal
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from bot.execution.fees import LEAST_BUMP_BPS, FeePolicy
from bot.execution.inventory import LARGEST_APPROVAL, Approval, GasMoney, Sweep
from bot.execution.relay import RelayOptions
from bot.ops.limits import Limits
from bot.ports import Address, Lane
from bot.sections import AddressText, HttpUrl, Section, located

_GWEI = 10**9
_WAD = 10**18


class KeystoreSettings(Section):
    """A key.

    Parameters
    ----------
    keystore : Path or None
        Encrypted JSON keystore. Needed unless the program only runs dry.
    password_file : Path or None
        File with its password; without it the program asks on the terminal.
    """

    keystore: Path | None = None
    password_file: Path | None = None


class KeySettings(Section):
    """A further account that sends.

    Parameters
    ----------
    keystore : Path
        Encrypted JSON keystore.
    password_file : Path or None
        File with its password; without it the keeper asks on the terminal.
    lane : {"urgent", "housekeeping"}
        What it is for. Once there is an account for housekeeping, no other does any.
    """

    keystore: Path
    password_file: Path | None = None
    lane: Literal["urgent", "housekeeping"] = "housekeeping"


class SignerSettings(KeystoreSettings):
    """The keys.

    Parameters
    ----------
    keystore : Path or None
        Encrypted JSON keystore of the main account. A key is needed unless the keeper only runs dry.
    password_file : Path or None
        File with its password; without it the keeper asks on the terminal.
    remote_url : SecretStr or None
        Signer that speaks ``eth_signTransaction``, in place of the keystore. Secret: it may hold a password.
    remote_address : str or None
        Account that it signs for.
    remote_timeout_s : float
        Seconds until an unanswered request counts as lost.
    more : tuple of KeySettings
        Further accounts.
    """

    remote_url: HttpUrl | None = None
    remote_address: AddressText | None = None
    remote_timeout_s: float = Field(default=5.0, gt=0)
    more: tuple[KeySettings, ...] = ()

    @model_validator(mode="after")
    def _one_main_account(self) -> "SignerSettings":
        if (self.remote_url is None) != (self.remote_address is None):
            raise ValueError("remote_url and remote_address belong together: set both, or none")
        if self.remote_url is not None and self.keystore is not None:
            raise ValueError("keystore and remote_url both name the main account: keep one")
        return self

    def anchored(self, folder: Path) -> "SignerSettings":
        """Return the settings with relative paths started at ``folder``."""
        more = tuple(key.model_copy(update=_anchored(key, folder)) for key in self.more)
        return self.model_copy(update={**_anchored(self, folder), "more": more})


class FeeSettings(Section):
    """What is paid for gas.

    Parameters
    ----------
    tip_gwei : Decimal
        Priority fee, gwei per gas.
    cap_gwei : Decimal
        Most per gas, base fee and tip together.
    headroom_blocks : int
        Full blocks in a row through which a transaction stays valid.
    bid_bps : int
        Share of what inclusion is worth beyond base fee and tip that is added to the tip at once.
    bump_bps : int
        By how much a replacement raises both fees.
    """

    tip_gwei: Decimal = Field(default=Decimal(1), ge=0, decimal_places=9)
    cap_gwei: Decimal = Field(default=Decimal(500), gt=0, decimal_places=9)
    headroom_blocks: int = Field(default=6, ge=0, le=50)
    bid_bps: int = Field(default=0, ge=0, le=10_000)
    bump_bps: int = Field(default=LEAST_BUMP_BPS, ge=LEAST_BUMP_BPS, le=100_000)

    @model_validator(mode="after")
    def _the_cap_leaves_room_for_the_tip(self) -> Self:
        if self.tip_gwei >= self.cap_gwei:
            raise ValueError(f"tip_gwei ({self.tip_gwei}) must be below cap_gwei ({self.cap_gwei})")
        return self

    def policy(self) -> FeePolicy:
        """Return the policy, in wei."""
        return FeePolicy(
            int(self.tip_gwei * _GWEI),
            int(self.cap_gwei * _GWEI),
            self.headroom_blocks,
            self.bid_bps,
            self.bump_bps,
        )


class ExecutionSettings(Section):
    """How transactions are sent; see `bot.execution.options.ExecutorOptions`."""

    gas_margin_bps: int = Field(default=2_000, ge=0, le=100_000)
    resend_after_heads: int = Field(default=3, gt=0)
    bump_after_heads: int = Field(default=2, gt=0)
    cancel_after_heads: int = Field(default=25, gt=0)
    housekeeping_in_flight: int = Field(default=8, gt=0)


class RelaySettings(Section):
    """A private relay for what is worth something to others.

    Parameters
    ----------
    url : SecretStr or None
        Where; None sends everything to the public pool.
    style : {"transaction", "bundle"}
        By ``eth_sendPrivateTransaction`` or by ``eth_sendBundle``.
    blocks : int
        Blocks after which what the relay did not land is broadcast.
    timeout_s : float
        Seconds until an unanswered request counts as lost.
    """

    url: HttpUrl | None = None
    style: Literal["transaction", "bundle"] = "transaction"
    blocks: int = Field(default=3, gt=0)
    timeout_s: float = Field(default=2.0, gt=0)

    def options(self) -> RelayOptions:
        """Return what `PrivateRoute` takes."""
        return RelayOptions(self.style, self.blocks)


class LimitSettings(Section):
    """Hard limits; what is not set limits nothing.

    Parameters
    ----------
    loss_per_hour : Decimal or None
        Quote units of net loss, gas included, at which the keeper halts.
    gas_per_hour : Decimal or None
        Whole coins of gas, what is open at its worst included.
    value_per_account, value_per_asset : Decimal or None
        Quote units of collateral moved in an hour for one account, and of one asset.
    failures_in_a_row : int or None
        Reverted transactions in a row at which the keeper halts; 1,000 at most.
    minimum_balance : Decimal
        Whole coins that each account keeps.
    """

    loss_per_hour: Decimal | None = Field(default=None, ge=0)
    gas_per_hour: Decimal | None = Field(default=None, ge=0)
    value_per_account: Decimal | None = Field(default=None, ge=0)
    value_per_asset: Decimal | None = Field(default=None, ge=0)
    failures_in_a_row: int | None = Field(default=20, gt=0, le=1_000)
    minimum_balance: Decimal = Field(default=Decimal(0), ge=0)

    def limits(self) -> Limits:
        """Return what `LimitGuard` takes."""
        return Limits(
            loss=_wad(self.loss_per_hour),
            gas=_wad(self.gas_per_hour),
            account_value=_wad(self.value_per_account),
            asset_value=_wad(self.value_per_asset),
            failures=self.failures_in_a_row,
            minimum_balance=int(self.minimum_balance * _WAD),
        )


class SweepSettings(Section):
    """A token, or the chain's own coin, whose surplus leaves for the cold address; token units in wholes.

    Parameters
    ----------
    symbol : str
        Symbol of a listed asset, or ``native``.
    above, keep : Decimal
        Balance from which it is swept, and what stays.
    """

    symbol: str
    above: Decimal = Field(ge=0)
    keep: Decimal = Field(default=Decimal(0), ge=0)

    @model_validator(mode="after")
    def _keeps_less(self) -> "SweepSettings":
        if self.keep > self.above:
            raise ValueError(f"keep must be at most above, which is {self.above}")
        return self

    def rule(self, token: Address | None, unit: int) -> Sweep:
        """Return the rule, in token units."""
        return Sweep(self.symbol, token, int(self.above * unit), int(self.keep * unit))


class ApprovalSettings(Section):
    """What a spender may take of a listed asset, exactly; 0 revokes, and unlimited is refused."""

    symbol: str
    spender: AddressText
    amount: Decimal = Field(ge=0)

    def rule(self, token: Address, unit: int) -> Approval:
        """Return the rule, in token units."""
        return Approval(self.symbol, token, Address(self.spender), int(self.amount * unit))

    @model_validator(mode="after")
    def _is_limited(self) -> "ApprovalSettings":
        if self.amount > LARGEST_APPROVAL:
            raise ValueError("amount is meant to be unlimited, and approvals never are")
        return self


class InventorySettings(Section):
    """What the accounts hold.

    Parameters
    ----------
    interval_blocks : int
        Blocks between two looks.
    cold_address : str or None
        Where profits go.
    sweeps, approvals : tuple
        What leaves, and what spenders may take.
    collect_above : Decimal or None
        Whole tokens of any listed asset from which tips and chips are collected to the cold address.
    gas_floor, gas_target, gas_reserve, gas_largest : Decimal
        Whole coins: below which a further account is filled up, to what, what the main account keeps, and the
        most of one filling.
    """

    interval_blocks: int = Field(default=25, gt=0)
    cold_address: AddressText | None = None
    sweeps: tuple[SweepSettings, ...] = ()
    approvals: tuple[ApprovalSettings, ...] = ()
    collect_above: Decimal | None = Field(default=None, ge=0)
    gas_floor: Decimal = Field(default=Decimal("0.05"), ge=0)
    gas_target: Decimal = Field(default=Decimal("0.2"), ge=0)
    gas_reserve: Decimal = Field(default=Decimal("0.2"), ge=0)
    gas_largest: Decimal = Field(default=Decimal("0.2"), ge=0)

    @model_validator(mode="after")
    def _is_whole(self) -> "InventorySettings":
        if self.cold_address is None and (self.sweeps or self.collect_above is not None):
            raise ValueError("cold_address must be set, because something is to be sent to it")
        if self.gas_floor > self.gas_target:
            raise ValueError(f"gas_floor must be at most gas_target, which is {self.gas_target}")
        return self

    def cold(self) -> Address | None:
        """Return where profits go."""
        return None if self.cold_address is None else Address(self.cold_address)

    def gas(self) -> GasMoney:
        """Return the rule for gas money, in wei."""
        amounts = (self.gas_floor, self.gas_target, self.gas_reserve, self.gas_largest)
        return GasMoney(*(int(amount * _WAD) for amount in amounts))


def lanes(keys: tuple[KeySettings, ...]) -> tuple[frozenset[Lane], list[frozenset[Lane]]]:
    """Return what the main account serves, and what each further one does."""
    further = [frozenset({Lane(key.lane)}) for key in keys]
    taken = any(Lane.HOUSEKEEPING in served for served in further)
    return frozenset({Lane.URGENT}) if taken else frozenset(Lane), further


def _anchored(section: BaseModel, folder: Path) -> dict[str, object]:
    return {
        name: located(folder, value)
        for name in type(section).model_fields
        if isinstance(value := getattr(section, name), Path)
    }


def _wad(value: Decimal | None) -> int | None:
    return None if value is None else int(value * _WAD)
