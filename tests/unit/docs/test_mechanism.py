"""The page of the mathematics says what the code has: each parameter, each name, each rounding."""

import re
from pathlib import Path
from string import Formatter

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "mechanism.md").read_text()
PARAMETERS = (ROOT / "contracts" / "libraries" / "Parameters.sol").read_text()
SOURCES = {path.stem: path.read_text() for path in (ROOT / "contracts").rglob("*.sol")}
UNITS = {"minutes": 60, "hours": 3_600, "days": 86_400}
WAD = 10**18


class Value(int):
    """A constant, and the ways in which the page writes it."""

    def __format__(self, way: str) -> str:
        """Write basis points, pips, WAD, seconds, or the seconds in which a rate takes off 1 %."""
        if way == "%":
            return f"{self / 100:g} %"
        if way == "pips":
            return f"{self / 10_000:g} %"
        if way in {"bps", "2bps"}:
            return f"{self / 10_000:{'.2f' if way == '2bps' else 'g'}}"
        if way == "wad":
            return f"{self / WAD:g}"
        if way == "units":
            return f"{self // WAD:,}"
        if way == "percent in":
            return _time(round(WAD / 100 / self))
        return _time(self) if way == "time" else f"{int(self):,}"


def _time(seconds: int) -> str:
    for unit, length, least in (("d", 86_400, 172_800), ("h", 3_600, 3_600), ("min", 60, 60)):
        if seconds >= least and seconds % length == 0:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def constants() -> dict[str, Value]:
    """Return every constant of the file, worked out."""
    found = re.findall(r"uint\d+ internal constant (\w+) = (.+?);", PARAMETERS)
    return {name: Value(_worked_out(text)) for name, text in found}


def _worked_out(text: str) -> int:
    text = re.sub(r"uint256\((.*?)\)", r"\1", text.replace("_", ""))
    text = re.sub(r"(\d+) (minutes|hours|days)", lambda m: str(int(m[1]) * UNITS[m[2]]), text)
    quotient, _, rest = text.partition(" + ")
    dividend, _, divisor = quotient.partition(" / ")
    return _number(dividend) // _number(divisor or "1") + _number(rest or "0")


def _number(text: str) -> int:
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    return int(whole + fraction) * int(10 ** (int(exponent or 0) - len(fraction)))


ASSETS = ("WETH", "WBTC", "STABLE")
LTV = "{%s_LIQUIDATION_THRESHOLD_BPS:2bps} / {%s_MAX_LTV_BPS:2bps}"
ROWS = {
    "`liquidationThreshold` / `maxLtv`": (
        ", ".join(f"{a.replace('STABLE', 'USDC')} {LTV % (a, a)}" for a in ASSETS),
        "`maxLtv < liquidationThreshold`, to {LIQUIDATION_THRESHOLD_MAX_BPS:bps} and `< 1 / b` "
        "at the penalty start",
    ),
    "`debtWeight`": (
        "USDC {STABLE_DEBT_WEIGHT_BPS:2bps}, WETH {WETH_DEBT_WEIGHT_BPS:2bps}, "
        "WBTC {WBTC_DEBT_WEIGHT_BPS:2bps}",
        "{DEBT_WEIGHT_MIN_BPS:bps} to {DEBT_WEIGHT_MAX_BPS:bps}",
    ),
    "reserve factor; yearly rate": (
        "{RESERVE_FACTOR_BPS:%}; by asset",
        "to {RESERVE_FACTOR_MAX_BPS:%}; to {RATE_MAX_BPS:%}, rising, the kink between 0 and 1",
    ),
    "smallest borrow": (
        "{SMALLEST_BORROW:units} quote units",
        "{SMALLEST_BORROW_MIN:units} to {SMALLEST_BORROW_MAX:units}",
    ),
    "`targetHealthFactor`": (
        "{TARGET_HEALTH_FACTOR_BPS:bps}",
        "{TARGET_HEALTH_FACTOR_MIN_BPS:bps} to {TARGET_HEALTH_FACTOR_MAX_BPS:bps}, "
        "above `k b / w` at the penalty start",
    ),
    "`penalty`": ("{PENALTY_BPS:%}", "to {PENALTY_MAX_BPS:%}"),
    "`chip`; `tip`": (
        "{CHIP_BPS:%} of debt repaid; {TIP_VALUE} quote units",
        "within the share of the penalty; to {TIP_VALUE_MAX}",
    ),
    "`incentiveShare` of the penalty, tip and chip together": (
        "{INCENTIVE_SHARE_BPS:%}",
        "to {INCENTIVE_SHARE_MAX_BPS:%}",
    ),
    "`m_floor`; `tail`": (
        "{FLOOR_MULTIPLIER_BPS:2bps}; {TAIL:time}",
        "{FLOOR_MULTIPLIER_MIN_BPS:bps} to {FLOOR_MULTIPLIER_MAX_BPS:bps}; "
        "{TAIL_MIN:time} to {TAIL_MAX:time}",
    ),
    "dust": ("{DUST_VALUE} quote units", "{DUST_VALUE_MIN} to {DUST_VALUE_MAX}"),
    "volatility; deviation; venue fee": (
        "{VOLATILITY_BPS:%}; {DEVIATION_BPS:%}; {VENUE_FEE_PIPS:pips}",
        "{VOLATILITY_MIN_BPS:%} to {VOLATILITY_MAX_BPS:%}; to {DEVIATION_MAX_BPS:%}; "
        "to {VENUE_FEE_MAX_PIPS:pips}",
    ),
    "start multiplier; `lambda`": (
        "far 1.0071, near 0.9965, where pools pay no more; 1 % in 89 s",
        "`m_floor`, {START_MULTIPLIER_MIN_WAD:wad} to {START_MULTIPLIER_MAX_WAD:wad}; "
        "1 % in {DECAY_PER_SECOND_MIN_WAD:percent in} to 1 % in {DECAY_PER_SECOND_MAX_WAD:percent in}",
    ),
    "highest raised start; window and age of the mean price; its bound, and a venue's": (
        "{NEAR_START_MAX_WAD:wad}; {TWAP_WINDOW:time} and {MEAN_PRICE_MAX_AGE:time}; {TWAP_TOLERANCE_BPS:%}",
        "fixed",
    ),
    "slippage limit; s0": (
        "{SLIPPAGE_LIMIT_BPS:%}; {NEAR_SLIPPAGE_BPS:%}",
        "{SLIPPAGE_LIMIT_MIN_BPS:%} to {SLIPPAGE_LIMIT_MAX_BPS:%}; to the limit",
    ),
    "recovery; shape": (
        "{RECOVERY:time}; {SHAPE_BPS:bps}",
        "{RECOVERY_MIN:time} to {RECOVERY_MAX:time}; {SHAPE_MIN_BPS:bps} to {SHAPE_MAX_BPS:bps}",
    ),
    "`B_min`; `B_max`": (
        "{CAPACITY_MIN}; {CAPACITY_MAX}",
        "{CAPACITY_LOWEST} to `B_max`; to {CAPACITY_HIGHEST} quote units",
    ),
    "age of a poke": ("{DEPTH_MAX_AGE:time}", "{DEPTH_MAX_AGE_MIN:time} to {DEPTH_MAX_AGE_MAX:time}"),
    "`z_u`; `tau_clear`": (
        "{URGENCY_Z_BPS:bps}; {TAU_CLEAR:time}",
        "{URGENCY_Z_MIN_BPS:bps} to {URGENCY_Z_MAX_BPS:bps}; {TAU_CLEAR_MIN:time} to {TAU_CLEAR_MAX:time}",
    ),
    "choice tolerance": (
        "{CHOICE_TOLERANCE_BPS:bps}",
        "{CHOICE_TOLERANCE_MIN_BPS:bps} to {CHOICE_TOLERANCE_MAX_BPS:bps}",
    ),
    "breaker: levels; fall that trips it, and for how long": (
        "{BREAKER_LEVELS}; {TRIP_DROP_BPS:%}, {TRIP_DURATION:time}",
        "fixed",
    ),
    "upper bound of a feed; deviation of a second source": (
        "none",
        "to {PRICE_MAX_WAD:units} quote units; to {SOURCE_DEVIATION_MAX_BPS:%}",
    ),
    "window of the mean depth": (
        "{DEPTH_WINDOW:time}",
        "{DEPTH_WINDOW_MIN:time} to {DEPTH_WINDOW_MAX:time}",
    ),
    "fund: cooldown; window after it; cap and length of an event": (
        "{FUND_COOLDOWN:time}; {FUND_WINDOW:time}; {FUND_CAP_BPS:%}, {FUND_EVENT_DURATION:time}",
        "{FUND_COOLDOWN_MIN:time} to {FUND_COOLDOWN_MAX:time}; fixed; "
        "{FUND_CAP_MIN_BPS:%} to {FUND_CAP_MAX_BPS:%}, "
        "{FUND_EVENT_DURATION_MIN:time} to {FUND_EVENT_DURATION_MAX:time}",
    ),
    "gas of a call to a fund": ("{FUND_GAS}", "fixed"),
}


def rows(section: str) -> list[list[str]]:
    """Return the cells of the table of a section, without its head."""
    text = re.split(r"^## ", PAGE.split(f"## {section}")[1], flags=re.MULTILINE)[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_table_of_parameters_is_the_file_of_parameters() -> None:
    values = constants()
    written = {name: (default, bounds) for name, default, bounds in rows("7. Parameters")}
    assert written == {name: tuple(cell.format_map(values) for cell in cells) for name, cells in ROWS.items()}


def test_no_parameter_is_left_out_of_the_table() -> None:
    cells = [cell for pair in ROWS.values() for cell in pair]
    named = {field for cell in cells for _, field, _, _ in Formatter().parse(cell) if field}
    assert named == set(constants())


def test_starts_and_decay_are_what_the_formulas_give_at_the_defaults() -> None:
    values, year = constants(), 31_536_000
    sigma = values["VOLATILITY_BPS"] / 10_000
    kept = 1 - values["VENUE_FEE_PIPS"] / 1e6 - values["NEAR_SLIPPAGE_BPS"] / 1e4
    far = 1 + values["DEVIATION_BPS"] / 1e4 + 3 * sigma * (24 / year) ** 0.5
    decay = (sigma * (0.01 / year) ** 0.5 / 12) ** (2 / 3)
    default = ROWS["start multiplier; `lambda`"][0]
    assert default == f"far {far:.4f}, near {kept:.4f}, where pools pay no more; 1 % in {0.01 / decay:.0f} s"


@pytest.mark.parametrize("row", rows("1. An account"), ids=lambda row: row[0])
def test_each_name_of_an_account_is_in_the_code(row: list[str]) -> None:
    names = re.findall(r"`(\w+)`", row[1])
    assert names
    for name in names:
        assert any(re.search(rf"\b{name}(?:Bps|Wad)?\b", source) for source in SOURCES.values()), name


@pytest.mark.parametrize("row", rows("8. Where each formula is"), ids=lambda row: row[0])
def test_each_formula_is_where_the_page_says_and_rounds_as_it_is_named(row: list[str]) -> None:
    for file, function in re.findall(r"`(\w+)\.(\w+)`", row[1]):
        assert re.search(rf"function {function}\(", SOURCES[file]), f"{file}.{function}"
        for direction in ("Up", "Down"):
            if function.endswith(direction):
                assert direction.lower() in row[2] or "as named" in row[2]
