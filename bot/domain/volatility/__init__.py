"""How fast prices move: estimators from bars, from ticks, live from several feeds, and forecasts.

The estimators return a variance, one number each. Estimators from bars give the variance per bar, `ewma`,
`har_rv` and `garch` that per period of what they are given, `ewma_irregular` that of a 365-day year.
`bot.domain.risk` takes annualised volatilities: the square root of a variance times the periods in a year.
"""

from bot.domain.volatility.bars import close_to_close, garman_klass, parkinson, rogers_satchell, yang_zhang
from bot.domain.volatility.forecasts import garch, har_rv
from bot.domain.volatility.history import Bars, FeedHistory, range_variance
from bot.domain.volatility.live import Estimate, Limits, LiveCovariance
from bot.domain.volatility.log_har import LogHar, fit_log_har
from bot.domain.volatility.moving import ewma, ewma_irregular

__all__ = [
    "Bars",
    "Estimate",
    "FeedHistory",
    "Limits",
    "LiveCovariance",
    "LogHar",
    "close_to_close",
    "ewma",
    "ewma_irregular",
    "fit_log_har",
    "garch",
    "garman_klass",
    "har_rv",
    "parkinson",
    "range_variance",
    "rogers_satchell",
    "yang_zhang",
]
