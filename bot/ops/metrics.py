"""What the keeper measures of itself, for Prometheus.

Every metric is defined here and nowhere else; ``ops/`` holds the alerts and the dashboard that use them, and
a test holds their names against these. Values in quote units are floats: they are read by people.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bot.ports import Outcome

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Of what `Metrics.exposed` returns."""

_FAST: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 12.0)
_SLOW: Final = (1.0, 3.0, 6.0, 12.0, 24.0, 36.0, 60.0, 120.0, 300.0, 900.0)

PROFIT_PARTS: Final = ("price", "slippage", "gas", "bump")
"""What the difference between the profit expected and the profit realised is split into."""


WATCHED: Final = (
    ("error", "book_diverged"),
    ("error", "gas_money_short"),
    ("error", "ledger_unusable"),
    ("error", "accounts_quarantined"),
    ("warning", "foreign_nonce"),
    ("warning", "would_revert"),
)
"""Log events that alert rules look at, level first: counted from 0, so that the first one is an increase."""


class Metrics:
    """One keeper's metrics, in a registry of their own.

    Each attribute is one metric; its help text says what it counts.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._stages()
        self._heads()
        self._accounts()
        self._actions()

    def _stages(self) -> None:
        self.head_to_decision = self._histogram(
            "head_to_decision", "From a head's arrival to the decisions on it", _FAST
        )
        self.decision_to_broadcast = self._histogram(
            "decision_to_broadcast", "From the decisions to the node's answer to a transaction", _FAST
        )
        self.broadcast_to_inclusion = self._histogram(
            "broadcast_to_inclusion", "From the node's answer to the receipt", _SLOW
        )

    def _heads(self) -> None:
        self.heads_seen = self._counter("heads_seen", "Heads that arrived")
        self.heads_evaluated = self._counter("heads_evaluated", "Heads that were acted on")
        self.head_height = self._gauge("head_height", "Height of the newest head")
        self.head_evaluated_height = self._gauge(
            "head_evaluated_height", "Height of the newest head that was acted on"
        )
        self.head_timestamp = self._gauge("head_timestamp_seconds", "Block time of the newest head, unix")
        self.reorgs = self._counter("reorgs", "Reorganisations of the chain")
        self.check = self._gauge("check", "1 where a check of readiness passes", ("check",))
        self.log_events = self._counter("log_events", "Warnings and errors in the log", ("level", "event"))
        self.alerts = self._counter("alerts", "Messages to operators", ("channel", "result"))
        for level, event in WATCHED:
            self.log_events.labels(level, event)

    def _accounts(self) -> None:
        self.accounts = self._gauge("accounts", "Accounts that were looked at")
        self.unpriced = self._gauge("accounts_unpriced", "Accounts whose price the oracle refuses")
        self.liquidatable = self._gauge("accounts_liquidatable", "Accounts with health below 1")
        self.debt_liquidatable = self._gauge(
            "debt_liquidatable_quote", "Debt of accounts with health below 1, quote units"
        )
        self.likely = self._gauge(
            "accounts_likely", "Healthy accounts more likely than not to fall within the horizon"
        )
        self.expected_loss = self._gauge(
            "expected_loss_quote", "Lenders' expected loss over the horizon, all accounts, quote units"
        )
        self.forecast_learnt = self._gauge(
            "forecast_learnt", "1 where forecasts rest on the feeds' history, 0 on Brownian motion"
        )
        self.unattended = self._gauge(
            "unattended_seconds", "Longest time that a liquidatable account has been without action"
        )
        self.auctions = self._gauge("auctions", "Auctions that run")

    def _actions(self) -> None:
        self.intents = self._counter("intents", "Intents executed", ("kind", "outcome"))
        self.settled = self._counter("transactions_settled", "Transactions settled", ("outcome",))
        for outcome in Outcome:
            self.settled.labels(outcome.value)
        self.gas_spent = self._counter("gas_spent_wei", "Wei paid for gas")
        self.profit_expected = self._gauge(
            "profit_expected_quote", "Profit after gas expected of what settled since the start, quote units"
        )
        self.profit_realised = self._gauge(
            "profit_realised_quote", "Profit after gas realised since the start, quote units"
        )
        self.profit_difference = self._gauge(
            "profit_difference_quote", "Realised less expected, by what made it, quote units", ("part",)
        )
        for part in PROFIT_PARTS:
            self.profit_difference.labels(part).set(0.0)

    def _counter(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(f"sluice_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(f"sluice_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"sluice_{name}_seconds", text, buckets=buckets, registry=self.registry)

    def exposed(self) -> bytes:
        """Return all values in Prometheus' text format."""
        return generate_latest(self.registry)

    def names(self) -> set[str]:
        """Return the names of all series that a query may use."""
        found: set[str] = set()
        for family in self.registry.collect():
            suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
            found |= {family.name + suffix for suffix in suffixes.get(family.type, ("",))}
        return found
