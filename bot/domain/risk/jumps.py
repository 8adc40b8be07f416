"""First passage of a ratio that also jumps: Kou's double exponential model."""

import math
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from bot.domain import _validation as valid
from bot.domain._validation import ArrayLike, FloatArray
from bot.domain.risk import _units as units
from bot.domain.risk._barrier import SMALLEST_DEVIATION
from bot.domain.risk.passage import first_passage
from bot.errors import InvalidInputError

ComplexArray: TypeAlias = npt.NDArray[np.complex128]

_ABSCISSA = 26.0
"""Real part of the contour times twice the horizon: the discretisation error is exp(-26), 5e-12."""

_TERMS = 38
_AVERAGED = 14
"""Terms of the Fourier series as they stand, and then averaged with binomial weights (Euler summation)."""

_ROWS = 4_096
"""Accounts inverted at a time, about 10 MB of roots."""

SMALLEST_JUMP = 1e-15
"""Mean size below which jumps are told from none by nobody."""


class _Process(NamedTuple):
    """The falling log ratio, over one horizon as the unit of time; all arrays of one length."""

    deviation: FloatArray
    drift: FloatArray
    intensity: FloatArray
    share_towards: FloatArray
    rate_towards: FloatArray
    rate_away: FloatArray


def first_passage_jumps(
    ratio: ArrayLike,
    volatility: ArrayLike,
    horizon: ArrayLike,
    jump_intensity: ArrayLike,
    probability_up: ArrayLike,
    mean_up: ArrayLike,
    mean_down: ArrayLike,
    drift: ArrayLike = 0.0,
) -> float | FloatArray:
    """Probability that a ratio with jumps touches or falls through 1 within the horizon.

    Between jumps the ratio is a geometric Brownian motion; jumps come at ``jump_intensity`` a year, and the
    size of one in the logarithm is exponential, up of mean ``mean_up`` with ``probability_up``, else down of
    mean ``mean_down``. The diffusion's drift is lowered by the jumps' mean, so that the ratio as a whole
    grows at ``drift``.

    Parameters
    ----------
    ratio : float or array
        Assets over the barrier, such as a health factor.
    volatility : float or array
        Of the diffusion alone, annualised; positive where there are jumps.
    horizon : float or array
        Seconds.
    jump_intensity : float or array
        Expected jumps a year.
    probability_up : float or array
        Share of jumps that go up, in [0, 1].
    mean_up, mean_down : float or array
        Mean size of a jump in the logarithm, positive; ``mean_up`` below 1, or the mean ratio would be
        infinite.
    drift : float or array
        Arithmetic drift of the ratio a year.

    Returns
    -------
    float or array
        In [0, 1]; 1 where ``ratio <= 1``. Without jumps, `first_passage`.

    Raises
    ------
    InvalidInputError
        If an argument is outside the bounds above, or there are jumps and no volatility.

    Notes
    -----
    Source: the Laplace transform in the horizon of Kou and Wang, Advances in Applied Probability 35, 2003,
    theorem 3.1, whose two roots are those of positive real part; inverted by the Euler method of Abate and
    Whitt, ORSA Journal on Computing 7, 1995. Absolute error below 1e-10.
    """
    given = valid.broadcast(
        ratio=units.ratio("ratio", ratio),
        volatility=valid.non_negative("volatility", volatility),
        horizon=valid.non_negative("horizon", horizon),
        jump_intensity=valid.non_negative("jump_intensity", jump_intensity),
        probability_up=valid.fraction("probability_up", probability_up),
        mean_up=valid.open_fraction("mean_up", mean_up),
        mean_down=valid.positive("mean_down", mean_down),
        drift=valid.finite("drift", drift),
    )
    start, sigma, seconds, intensity = given[:4]
    result = np.array(first_passage(start, sigma, seconds, given[7]), dtype=np.float64)
    jumping = (intensity > 0.0) & (seconds > 0.0) & (start > 1.0) & (start < np.inf)
    if jumping.any():
        flat = [value[jumping] for value in given]
        result[jumping] = _invert(units.log_ratio(flat[0]), _process(flat[1:]))
    return valid.unwrap(result)


def _process(given: list[FloatArray]) -> _Process:
    volatility, horizon, intensity, up, mean_up, mean_down, drift = given
    period = units.years(horizon)
    deviation = units.deviation(volatility, period)
    if (deviation < SMALLEST_DEVIATION).any():
        raise InvalidInputError(
            "volatility", float(volatility[deviation.argmin()]), "positive where jumps happen"
        )
    # A smaller jump moves nothing, and the companion matrix's digits end there.
    rate_up, rate_down = (1.0 / np.maximum(mean, SMALLEST_JUMP) for mean in (mean_up, mean_down))
    mean = up / (rate_up - 1.0) - (1.0 - up) / (rate_down + 1.0)  # of exp(jump) - 1
    rise = (drift - intensity * mean) * period - 0.5 * np.square(deviation)
    return _Process(deviation, -rise, intensity * period, 1.0 - up, rate_down, rate_up)


@np.errstate(all="ignore")
def _invert(distance: FloatArray, process: _Process) -> FloatArray:
    """Sum the inverse's Fourier series at time 1; accounts that differ in distance share their roots."""
    unique, which = np.unique(np.stack(process, axis=1), axis=0, return_inverse=True)
    which = which.reshape(-1)
    result = np.empty_like(distance)
    order = np.argsort(which, kind="stable")
    for start in range(0, distance.size, _ROWS):
        part = order[start : start + _ROWS]
        first, last = which[part[0]], which[part[-1]]
        shared = _Process(*unique[first : last + 1].T[:, :, None])
        result[part] = _series(distance[part], shared, which[part] - first)
    return np.clip(result, 0.0, 1.0)


def _series(distance: FloatArray, process: _Process, which: FloatArray) -> FloatArray:
    k = np.arange(_TERMS + _AVERAGED + 1)
    alpha = 0.5 * _ABSCISSA + 1j * math.pi * k
    near, far = np.moveaxis(_roots(alpha, process), -1, 0)
    rate = process.rate_towards
    scale = 1.0 / (rate * (far - near) * alpha)
    first, second = (rate - near) * far * scale, (far - rate) * near * scale
    b = distance[:, None]
    terms = (first[which] * np.exp(-b * near[which]) + second[which] * np.exp(-b * far[which])).real
    terms[:, 1::2] *= -1.0
    terms[:, 0] *= 0.5
    sums = math.exp(0.5 * _ABSCISSA) * np.cumsum(terms, axis=1)
    weights = [math.comb(_AVERAGED, j) / 2.0**_AVERAGED for j in range(_AVERAGED + 1)]
    return np.asarray(sums[:, _TERMS:] @ np.array(weights), dtype=np.float64)


def _roots(alpha: ComplexArray, process: _Process) -> ComplexArray:
    """Roots of positive real part of the Lévy exponent at ``alpha``, two for each.

    The exponent ``deviation² y² / 2 + drift y + intensity (share h/(h - y) + (1 - share) k/(k + y) - 1) =
    alpha``, cleared of its fractions, is a quartic, solved in ``y * deviation`` as the eigenvalues of its
    companion matrix.
    """
    s, drift, intensity, share, towards, away = process
    h, k, m = towards * s, away * s, drift / s
    total = intensity + alpha
    gap, product = h - k, h * k
    monic = [
        2.0 * (total * product - intensity * product),
        2.0 * (total * gap - m * product - intensity * (share * h - (1.0 - share) * k)),
        -2.0 * (0.5 * product + m * gap + total),
        2.0 * m - gap + 0.0 * total,
    ]
    companion = np.zeros((*total.shape, 4, 4), dtype=np.complex128)
    companion[..., [1, 2, 3], [0, 1, 2]] = 1.0
    companion[..., 3] = -np.stack(monic, axis=-1)
    values = np.linalg.eigvals(companion)
    right = np.argsort(-values.real, axis=-1)[..., :2]
    return _polish(np.take_along_axis(values, right, axis=-1), monic) / s[..., None]


def _polish(root: ComplexArray, monic: list[ComplexArray]) -> ComplexArray:
    """Two Newton steps: eigenvalues lose digits where the roots differ in size."""
    d, c, b, a = (coefficient[..., None] for coefficient in monic)
    for _ in range(2):
        value = (((root + a) * root + b) * root + c) * root + d
        slope = ((4.0 * root + 3.0 * a) * root + 2.0 * b) * root + c
        root = root - value / slope
    return root
