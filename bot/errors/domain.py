"""Inputs outside the domain of a formula."""

from bot.errors.root import SluiceError


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
    """No repayment brings the health factor to the target.

    That is so where ``target * debt_weight <= threshold * (1 + bonus)``.
    """

    def __init__(self, target: float, floor: float) -> None:
        super().__init__(
            f"target health {target!r} cannot be reached: "
            f"it must exceed threshold * (1 + bonus) / debt_weight = {floor!r}"
        )
        self.target = target
        self.floor = floor


class CollateralExhaustedError(TargetHealthUnreachableError):
    """Selling every collateral that lifts health still leaves the account below the target."""

    def __init__(self, target: float, floor: float, reached: float) -> None:
        super().__init__(target, floor)
        self.args = (
            f"target health {target!r} cannot be reached: selling every collateral that lifts health"
            f" ends at {reached!r}",
        )
        self.reached = reached


class LiquidityExhaustedError(DomainError):
    """A trade asks for more than the initialised liquidity can give.

    Parameters
    ----------
    name : str
        The argument that asks for it, as in the signature.
    requested : int or float
        What was asked, in the argument's unit.
    amount_in, amount_out : int or float
        The partial fill that the liquidity does allow: input taken, fee included, and output paid.
    fee_paid : int or float
        The part of ``amount_in`` that is fee, where it is known.
    """

    def __init__(
        self, name: str, requested: float, amount_in: float, amount_out: float, fee_paid: float = 0
    ) -> None:
        super().__init__(
            f"{name} = {requested!r} exceeds the liquidity: at most {amount_in!r} in for {amount_out!r} out; "
            "ask for no more than that"
        )
        self.name = name
        self.requested = requested
        self.amount_in = amount_in
        self.amount_out = amount_out
        self.fee_paid = fee_paid


class CorrelationError(DomainError):
    """A matrix is not a correlation matrix: not symmetric, unit diagonal or positive semi-definite."""
