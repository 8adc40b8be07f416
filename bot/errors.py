"""The exceptions of Sluice, one tree.

::

    SluiceError
    ├── DomainError (ValueError)            an input outside the domain of a formula
    │   ├── InvalidInputError               not finite, negative, zero, wrong shape
    │   ├── TargetHealthUnreachableError    no repayment reaches the target health factor
    │   ├── LiquidityExhaustedError         a trade is larger than what a pool holds
    │   └── CorrelationError                not a correlation matrix
    └── (each layer adds its own branch in its own section below)

Every error carries the value that caused it and, where there is one, the fix.
"""


class SluiceError(Exception):
    """Root of every error that Sluice raises on purpose."""


class DomainError(SluiceError, ValueError):
    """An input lies outside the domain of a formula."""


class InvalidInputError(DomainError):
    """A value is not finite, not positive, or has the wrong shape.

    Parameters
    ----------
    name : str
        The argument's name, as in the signature.
    value : object
        The offending value.
    requirement : str
        What the value must satisfy.
    """

    def __init__(self, name: str, value: object, requirement: str) -> None:
        super().__init__(f"{name} must be {requirement}, got {value!r}")
        self.name = name
        self.value = value
        self.requirement = requirement


class TargetHealthUnreachableError(DomainError):
    """No repayment brings the health factor to the target: ``target * debt_weight <= threshold * (1 + bonus)``."""

    def __init__(self, target: float, floor: float) -> None:
        super().__init__(
            f"target health {target!r} cannot be reached: it must exceed threshold * (1 + bonus) / debt_weight = {floor!r}"
        )
        self.target = target
        self.floor = floor


class LiquidityExhaustedError(DomainError):
    """A trade asks for more than the pool's initialised liquidity can give."""


class CorrelationError(DomainError):
    """A matrix is not a correlation matrix: not symmetric, unit diagonal or positive semi-definite."""
