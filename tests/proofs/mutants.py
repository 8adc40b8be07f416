"""Changes of the code that a theorem must notice: a proof that survives them all says nothing."""

from __future__ import annotations

from dataclasses import dataclass

from tests.proofs.tree import LIBRARIES


@dataclass(frozen=True)
class Mutant:
    """One change of one library.

    Attributes
    ----------
    library : str
        Name of the library.
    old, new : str
        What stands there, once, and what is put in its place.
    noticed_by : str
        The theorem that does not hold any more.
    """

    library: str
    old: str
    new: str
    noticed_by: str

    def source(self) -> str:
        """Return the library's source with the change made."""
        text = (LIBRARIES / f"{self.library}.sol").read_text()
        if text.count(self.old) != 1:
            raise LookupError(
                f"{self.library}: {self.old!r} stands there {text.count(self.old)} times, not once"
            )
        return text.replace(self.old, self.new)


MUTANTS = [
    Mutant(
        "WadMath",
        "FixedPointMathLib.mulWad(x, y)",
        "FixedPointMathLib.mulWadUp(x, y)",
        "products_are_rounded_as_named",
    ),
    Mutant(
        "WadMath",
        "FixedPointMathLib.divWadUp(x, y)",
        "FixedPointMathLib.divWad(x, y)",
        "quotients_are_rounded_as_named",
    ),
    Mutant("WadMath", "(x * bps + (BPS - 1)) / BPS", "x * bps / BPS", "basis_points_are_rounded_as_named"),
    Mutant(
        "SharesMath",
        "return assets.mulDivDown(totalShares + VIRTUAL_SHARES",
        "return assets.mulDivUp(totalShares + VIRTUAL_SHARES",
        "a_round_trip_gains_nothing",
    ),
    Mutant(
        "SharesMath",
        "return assets.mulDivUp(totalShares + VIRTUAL_SHARES",
        "return assets.mulDivDown(totalShares + VIRTUAL_SHARES",
        "a_share_keeps_its_price",
    ),
    Mutant(
        "SharesMath",
        "return shares.mulDivDown(totalAssets + VIRTUAL_ASSETS",
        "return shares.mulDivUp(totalAssets + VIRTUAL_ASSETS",
        "shares_gain_nothing_by_conversion",
    ),
    Mutant(
        "DecimalFloat", "x >= MANTISSA_END && x % 10 == 0", "x >= MANTISSA_END", "a_packed_number_is_exact"
    ),
    Mutant("ReserveCurve", ".max(floor);", ";", "a_reserve_keeps_between_floor_and_start"),
    Mutant("ReserveCurve", "= -int256(", "= int256(", "a_reserve_never_rises"),
    Mutant(
        "ReleaseBudget",
        "value.mulDivUp(1, WAD_PER_MICRO)",
        "value.mulDivDown(1, WAD_PER_MICRO)",
        "a_draw_lowers_the_level",
    ),
    Mutant(
        "ReleaseBudget",
        "(load(bucket) + drawn).min(2 * uint256(bucket.capacity))",
        "load(bucket) + drawn",
        "a_draw_lowers_the_level",
    ),
    Mutant(
        "ReleaseBudget",
        "(capacity * elapsed / recovery)",
        "(capacity * (elapsed + 1) / recovery)",
        "time_refills",
    ),
    Mutant(
        "ReleaseBudget",
        "/ (2 * capacity * capacity)",
        "/ (capacity * capacity)",
        "the_clock_keeps_within_the_wall",
    ),
    Mutant(
        "ReleaseBudget",
        "load(bucket).min(2 * uint256(capacity))",
        "load(bucket)",
        "a_new_capacity_keeps_the_load",
    ),
    Mutant(
        "ReleaseBudget",
        "+ int256(urgency * bucket.capacity) > 0",
        "+ int256(urgency * bucket.capacity) >= 0",
        "urgency_opens",
    ),
    Mutant(
        "Sizing",
        "position.collateralUnit).mulUp(multiplier);",
        "position.collateralUnit).mulDown(multiplier);",
        "a_payment_meets_the_reserve",
    ),
    Mutant(
        "Sizing",
        "payment.divUp(WAD + offer.penalty)",
        "payment.divDown(WAD + offer.penalty)",
        "a_solvent_sale_is_shared_out",
    ),
    Mutant(
        "Sizing",
        "sale.repaid.mulDivDown(position.debtValue",
        "sale.repaid.mulDivUp(position.debtValue",
        "an_insolvent_sale_is_shared_out",
    ),
    Mutant(
        "Sizing",
        "if (seized > position.collateral) {",
        "if (seized > position.debt) {",
        "the_largest_slice_fits_and_pays",
    ),
    Mutant(
        "Sizing",
        "WAD.mulDivUp(healthDivisor, healthNumerator)",
        "WAD.mulDivDown(healthDivisor, healthNumerator)",
        "solvent_terms_are_not_toxic",
    ),
    Mutant(
        "Sizing",
        "position.debtValue.divUp(position.collateralValue)",
        "position.debtValue.divDown(position.collateralValue)",
        "solvent_terms_are_not_toxic",
    ),
    Mutant(
        "Sizing",
        "health >= least && health <= most",
        "health >= least || health <= most",
        "a_health_lies_within_its_range",
    ),
    Mutant(
        "Urgency",
        "(width - distance) * FULL / width",
        "distance * FULL / width",
        "urgency_falls_with_collateral",
    ),
    Mutant("InterestRate", "used - kink, WAD - kink)", "used, WAD - kink)", "the_rate_is_bounded"),
    Mutant("InterestRate", "borrowed == 0 ? 0 : WAD", "borrowed", "utilisation_is_a_fraction_and_rises"),
    Mutant("CurveParameters", "WAD - venueFeePips", "WAD + venueFeePips", "starts_lie_on_their_sides"),
    Mutant(
        "DepthMath",
        "first.mulDivDown(second, first + second)",
        "first.mulDivDown(second, first) + 1",
        "a_chain_is_no_deeper_than_its_parts",
    ),
]
