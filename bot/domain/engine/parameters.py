"""What governance sets on the engine."""

from dataclasses import dataclass

from bot.domain.wad import WAD, WAD_PER_BPS


@dataclass(frozen=True, slots=True)
class EngineParameters:
    """``ILiquidationEngine.EngineParameters``, in its units."""

    target_health_factor_bps: int
    penalty_bps: int
    chip_bps: int
    incentive_share_bps: int
    floor_multiplier_bps: int
    tip_value: int
    dust_value: int
    tail: int

    @property
    def target(self) -> int:
        """h, WAD."""
        return self.target_health_factor_bps * WAD_PER_BPS

    @property
    def penalty(self) -> int:
        """Largest p, WAD."""
        return self.penalty_bps * WAD_PER_BPS

    @property
    def floor(self) -> int:
        """m_floor, WAD."""
        return self.floor_multiplier_bps * WAD_PER_BPS

    @property
    def dust(self) -> int:
        """Smallest value that a settlement may leave on a side, WAD quote units."""
        return self.dust_value * WAD
