"""Kou's first passage against its transform in high precision, and against sampled paths."""

import math

import mpmath
import numpy as np
import pytest

from bot.domain.risk import first_passage, first_passage_jumps
from bot.errors import InvalidInputError

YEAR = 31_536_000.0
DAY = 86_400.0


def in_high_precision(
    ratio: float,
    volatility: float,
    horizon: float,
    intensity: float,
    up: float,
    mean_up: float,
    mean_down: float,
) -> float:
    """Solve for the roots in 40 digits, and invert by another method (de Hoog, Knight and Stokes)."""
    with mpmath.workdps(40):
        s, lam, p, b = (mpmath.mpf(x) for x in (volatility, intensity, up, math.log(ratio)))
        towards, away = 1 / mpmath.mpf(mean_down), 1 / mpmath.mpf(mean_up)
        mean = p / (away - 1) - (1 - p) / (towards + 1)
        fall = s**2 / 2 + lam * mean

        def transform(a: mpmath.mpc) -> mpmath.mpc:
            # (s² y² / 2 + fall y - lam - a) (towards - y) (away + y) + lam (..) as a polynomial in y
            h, m, total = s**2 / 2, fall, lam + a
            gap, product = towards - away, towards * away
            jumps = (1 - p) * towards - p * away
            polynomial = [
                (lam - total) * product,
                m * product - total * gap + lam * jumps,
                h * product + m * gap + total,
                h * gap - m,
                -h,
            ]
            roots = mpmath.polyroots(polynomial, asc=True, maxsteps=500, extraprec=300)
            one, two = sorted(roots, key=lambda z: -mpmath.re(z))[:2]
            first = (towards - one) * two * mpmath.exp(-b * one)
            second = (two - towards) * one * mpmath.exp(-b * two)
            return (first + second) / (towards * (two - one) * a)

        return float(mpmath.invertlaplace(transform, mpmath.mpf(horizon) / YEAR, method="dehoog"))


@pytest.mark.parametrize(
    ("ratio", "volatility", "horizon", "intensity", "up", "mean_up", "mean_down"),
    [
        (1.05, 0.8, 600.0, 50.0, 0.4, 0.02, 0.03),
        (1.1, 0.8, DAY, 200.0, 0.5, 0.01, 0.02),
        (1.001, 0.5, 60.0, 1_000.0, 0.3, 0.005, 0.01),
        (1.5, 1.2, 30 * DAY, 12.0, 0.2, 0.05, 0.2),
        (1.2, 0.6, YEAR, 3.0, 0.0, 0.1, 0.1),
        (1.02, 0.9, 3_600.0, 20.0, 1.0, 0.05, 0.02),
    ],
)
def test_probability_is_the_inverse_of_the_transform(
    ratio: float,
    volatility: float,
    horizon: float,
    intensity: float,
    up: float,
    mean_up: float,
    mean_down: float,
) -> None:
    arguments = (ratio, volatility, horizon, intensity, up, mean_up, mean_down)
    assert first_passage_jumps(*arguments) == pytest.approx(in_high_precision(*arguments), abs=1e-9)


def sampled(ratio: float, drift: float, paths: int) -> tuple[float, float]:
    """Simulate jump times and sizes; between jumps a Brownian bridge is exact. Mean and standard error."""
    volatility, period, intensity, up, mean_up, mean_down = 0.8, 0.02, 60.0, 0.4, 0.03, 0.05
    generator = np.random.default_rng(12)
    mean = up / (1 / mean_up - 1) - (1 - up) / (1 / mean_down + 1)
    nu = drift - volatility**2 / 2 - intensity * mean
    height = np.full(paths, math.log(ratio))
    alive = np.ones(paths)
    clock = np.zeros(paths)
    while (clock < period).any():
        wait = np.minimum(generator.exponential(1 / intensity, paths), np.maximum(period - clock, 0.0))
        end = height + nu * wait + volatility * np.sqrt(wait) * generator.standard_normal(paths)
        moving = wait > 0
        touched = np.zeros(paths)
        touched[moving] = np.where(
            end[moving] > 0,
            np.exp(-2 * height[moving] * np.maximum(end[moving], 0) / (volatility**2 * wait[moving])),
            1.0,
        )
        alive *= 1 - touched
        clock += wait
        rises = generator.random(paths) < up
        size = np.where(
            rises, generator.exponential(mean_up, paths), -generator.exponential(mean_down, paths)
        )
        height = np.where(clock < period, end + size, end)
        alive[height <= 0] = 0.0
        height = np.maximum(height, 1e-12)
    failed = 1 - alive
    return float(failed.mean()), float(failed.std() / math.sqrt(paths))


@pytest.mark.parametrize(("ratio", "drift"), [(1.05, 0.0), (1.2, 0.0), (1.2, 1.5)])
def test_probability_lies_within_four_standard_errors_of_sampled_paths(ratio: float, drift: float) -> None:
    mean, error = sampled(ratio, drift, 200_000)
    found = first_passage_jumps(ratio, 0.8, 0.02 * YEAR, 60.0, 0.4, 0.03, 0.05, drift)
    assert abs(found - mean) < 4 * error


def test_without_jumps_it_is_first_passage() -> None:
    ratio = np.array([0.9, 1.0, 1.05, 1.3])
    np.testing.assert_array_equal(
        first_passage_jumps(ratio, 0.8, DAY, 0.0, 0.5, 0.02, 0.02), first_passage(ratio, 0.8, DAY)
    )
    few = first_passage_jumps(1.05, 0.8, DAY, 1e-9, 0.5, 0.02, 0.02)
    assert few == pytest.approx(first_passage(1.05, 0.8, DAY), abs=1e-10)


def test_many_accounts_get_what_each_gets_alone() -> None:
    generator = np.random.default_rng(4)
    ratio, intensity = np.exp(generator.uniform(0.001, 0.2, 300)), generator.choice([10.0, 80.0], 300)
    whole = np.asarray(first_passage_jumps(ratio, 0.8, DAY, intensity, 0.4, 0.02, 0.03))
    alone = [
        first_passage_jumps(r, 0.8, DAY, k, 0.4, 0.02, 0.03) for r, k in zip(ratio, intensity, strict=True)
    ]
    np.testing.assert_allclose(whole, alone, atol=1e-11)


def test_limits_are_exact() -> None:
    found = first_passage_jumps([0.0, 1.0, math.inf], 0.8, DAY, 10.0, 0.5, 0.02, 0.02)
    assert np.array_equal(np.asarray(found), [1.0, 1.0, 0.0])
    assert first_passage_jumps(1.1, 0.8, 0.0, 10.0, 0.5, 0.02, 0.02) == 0.0
    assert isinstance(first_passage_jumps(1.1, 0.8, DAY, 10.0, 0.5, 0.02, 0.02), float)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("volatility", {"volatility": 0.0}),
        ("jump_intensity", {"jump_intensity": -1.0}),
        ("probability_up", {"probability_up": 1.2}),
        ("mean_up", {"mean_up": 1.0}),
        ("mean_down", {"mean_down": 0.0}),
        ("drift", {"drift": math.inf}),
    ],
)
def test_bad_arguments_are_named(name: str, change: dict[str, float]) -> None:
    good = {"ratio": 1.1, "volatility": 0.8, "horizon": DAY, "jump_intensity": 10.0}
    good |= {"probability_up": 0.5, "mean_up": 0.02, "mean_down": 0.02}
    with pytest.raises(InvalidInputError) as raised:
        first_passage_jumps(**(good | change))
    assert raised.value.name == name


@pytest.mark.parametrize("tiny", [1e-10, 1e-20, 1e-100, 5e-324])
def test_jumps_too_small_to_matter_do_not(tiny: float) -> None:
    account = {"ratio": 1.1, "volatility": 0.5, "horizon": 86_400, "jump_intensity": 100.0}
    down = first_passage_jumps(**account, probability_up=0.5, mean_up=tiny, mean_down=0.1)
    assert down == pytest.approx(
        first_passage_jumps(**account, probability_up=0.5, mean_up=1e-8, mean_down=0.1), abs=1e-8
    )
    up = first_passage_jumps(**account, probability_up=0.5, mean_up=0.1, mean_down=tiny)
    assert up == pytest.approx(
        first_passage_jumps(**account, probability_up=0.5, mean_up=0.1, mean_down=1e-8), abs=1e-8
    )
