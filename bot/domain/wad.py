"""Fixed-point integers with the rounding in the name: the twin of the contracts' ``WadMath``.

WAD is 18 decimals. Amounts, prices and fractions here are non-negative Python integers, so nothing overflows;
where the contract would revert for a result beyond 256 bits, the caller has left the range of real amounts
long before. Negative numbers and floats are refused: the contract has neither.
"""

from typing import Final

from bot.errors import InvalidInputError

WAD: Final = 10**18
"""One, in fixed point."""
BPS: Final = 10_000
"""One, in basis points."""
WAD_PER_BPS: Final = WAD // BPS
"""One basis point in WAD."""


def mul_down(x: int, y: int) -> int:
    """Return ``x y`` of two WAD numbers, or of an amount and a WAD number. Rounding: DOWN.

    Raises
    ------
    InvalidInputError
        If either is negative.
    """
    return mul_div_down(x, y, WAD)


def mul_up(x: int, y: int) -> int:
    """Return ``x y`` of two WAD numbers, or of an amount and a WAD number. Rounding: UP.

    Raises
    ------
    InvalidInputError
        If either is negative.
    """
    return mul_div_up(x, y, WAD)


def div_down(x: int, y: int) -> int:
    """Return ``x / y`` in WAD. Rounding: DOWN.

    Raises
    ------
    InvalidInputError
        If either is negative, or ``y`` is zero.
    """
    return mul_div_down(x, WAD, y)


def div_up(x: int, y: int) -> int:
    """Return ``x / y`` in WAD. Rounding: UP.

    Raises
    ------
    InvalidInputError
        If either is negative, or ``y`` is zero.
    """
    return mul_div_up(x, WAD, y)


def mul_div_down(x: int, y: int, d: int) -> int:
    """Return ``x y / d``. Rounding: DOWN.

    Raises
    ------
    InvalidInputError
        If any is negative, or ``d`` is zero.
    """
    # The sign bit of the union is that of any of them; a float has no union and is refused with TypeError.
    if (x | y | d) < 0 or d == 0:
        raise _refused(x, y, d)
    return x * y // d


def mul_div_up(x: int, y: int, d: int) -> int:
    """Return ``x y / d``. Rounding: UP.

    Raises
    ------
    InvalidInputError
        If any is negative, or ``d`` is zero.
    """
    if (x | y | d) < 0 or d == 0:
        raise _refused(x, y, d)
    return -(-x * y // d)


def bps_down(x: int, bps: int) -> int:
    """Return a share of ``x`` in basis points. Rounding: DOWN.

    Raises
    ------
    InvalidInputError
        If either is negative.
    """
    return mul_div_down(x, bps, BPS)


def bps_up(x: int, bps: int) -> int:
    """Return a share of ``x`` in basis points. Rounding: UP.

    Raises
    ------
    InvalidInputError
        If either is negative.
    """
    return mul_div_up(x, bps, BPS)


def _refused(x: int, y: int, d: int) -> InvalidInputError:
    """Return the error of an ``x y / d`` that the contract's unsigned numbers cannot express."""
    return InvalidInputError("x, y, divisor", (x, y, d), "non-negative, and the divisor above zero")


_LN2 = 54_916_777_467_707_473_351_141_471_128
"""ln 2 in units of ``2^-96``."""
_SMALLEST = -41_446_531_673_892_822_313
"""Exponent (WAD) at and below which the result is zero: ln(10^-18)."""
_LARGEST = 135_305_999_368_893_231_589
"""Exponent (WAD) from which the result no longer fits a signed 256-bit integer."""


def exp_wad(x: int) -> int:
    """Return ``e^x`` for a signed WAD exponent, to the last bit what the contracts' ``expWad`` gives.

    Reduces the range by powers of two and evaluates the (6, 7)-term rational approximation of Solady's
    ``FixedPointMathLib.expWad``, whose coefficients in units of ``2^-96`` stand below. The error is at most
    1.01 units of the last place for exponents up to 0, nearly always downwards; above, it is below ``2^-65``
    of the result.

    Parameters
    ----------
    x : int
        Exponent, WAD, below 135.3 * 10**18.

    Raises
    ------
    OverflowError
        If the contract would revert.
    """
    if x <= _SMALLEST:
        return 0
    if x >= _LARGEST:
        raise OverflowError(f"exp_wad: exponent {x} must be below {_LARGEST}")
    x = _truncated(x << 78, 5**18)
    k = (_truncated(x << 96, _LN2) + (1 << 95)) >> 96
    x -= k * _LN2
    y = x + 1_346_386_616_545_796_478_920_950_773_328
    y = (y * x >> 96) + 57_155_421_227_552_351_082_224_309_758_442
    p = y + x - 94_201_549_194_550_492_254_356_042_504_812
    p = (p * y >> 96) + 28_719_021_644_029_726_153_956_944_680_412_240
    p = p * x + (4_385_272_521_454_847_904_659_076_985_693_276 << 96)
    q = x - 2_855_989_394_907_223_263_936_484_059_900
    q = (q * x >> 96) + 50_020_603_652_535_783_019_961_831_881_945
    q = (q * x >> 96) - 533_845_033_583_426_703_283_633_433_725_380
    q = (q * x >> 96) + 3_604_857_256_930_695_427_073_651_918_091_429
    q = (q * x >> 96) - 14_423_608_567_350_463_180_887_372_962_807_573
    q = (q * x >> 96) + 26_449_188_498_355_588_339_934_803_723_976_023
    scale = 3_822_833_074_963_236_453_042_738_258_902_158_003_155_416_615_667
    return _truncated(p, q) * scale >> (195 - k)


def ln_wad(x: int) -> int:
    """Return ``ln x`` of a WAD number, to the last bit what the contracts' ``lnWad`` gives.

    Reduces the argument to ``[1, 2)`` by powers of two and evaluates the (8, 8)-term rational approximation
    of Solady's ``FixedPointMathLib.lnWad``, whose coefficients in units of ``2^-96`` stand below. The error
    is below 1.1 units of the last place.

    Parameters
    ----------
    x : int
        Argument, WAD, positive and below ``2^255``.

    Raises
    ------
    InvalidInputError
        If the contract would revert.
    """
    if not 0 < x < 1 << 255:
        raise InvalidInputError("x", x, "positive and below 2**255")
    log2 = x.bit_length() - 1
    x = (x << (255 - log2)) >> 159
    p = (
        (x + 3_273_285_459_638_523_848_632_254_066_296) * x >> 96
    ) + 24_828_157_081_833_163_892_658_089_445_524
    p = (p * x >> 96) + 43_456_485_725_739_037_958_740_375_743_393
    p = (p * x >> 96) - 11_111_509_109_440_967_052_023_855_526_967
    p = (p * x >> 96) - 45_023_709_667_254_063_763_336_534_515_857
    p = (p * x >> 96) - 14_706_773_417_378_608_786_704_636_184_526
    p = p * x - (795_164_235_651_350_426_258_249_787_498 << 96)
    q = x + 5_573_035_233_440_673_466_300_451_813_936
    q = (x * q >> 96) + 71_694_874_799_317_883_764_090_561_454_958
    q = (x * q >> 96) + 283_447_036_172_924_575_727_196_451_306_956
    q = (x * q >> 96) + 401_686_690_394_027_663_651_624_208_769_553
    q = (x * q >> 96) + 204_048_457_590_392_012_362_485_061_816_622
    q = (x * q >> 96) + 31_853_899_698_501_571_402_653_359_427_138
    q = (x * q >> 96) + 909_429_971_244_387_300_277_376_558_375
    scaled = _truncated(p, q) * 1_677_202_110_996_718_588_342_820_967_067_443_963_516_166
    return (scaled + _LN2_SCALED * (log2 - 96) + _LN_UNIT_SCALED) >> 174


_LN2_SCALED = 16_597_577_552_685_614_221_487_285_958_193_947_469_193_820_559_219_878_177_908_093_499_208_371
"""ln 2 in units of ``2^-192 / 5^18``."""
_LN_UNIT_SCALED = (
    600_920_179_829_731_861_736_702_779_321_621_459_595_472_258_049_074_101_567_377_883_020_018_308
)
"""ln(2^96 / 10^18) in the same units."""


def _truncated(x: int, y: int) -> int:
    """Return ``x / y`` rounded towards zero, as the EVM divides signed integers."""
    quotient = abs(x) // abs(y)
    return quotient if (x < 0) == (y < 0) else -quotient
