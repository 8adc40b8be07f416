"""The libraries' pure functions over mathematical integers, evaluated from the compiler's syntax tree.

What is proven is thus about the code that is compiled, line by line, and a change of it changes the model.
Within a path (`tests.proofs.paths`) each expression becomes a z3 term:

- Checked arithmetic is exact, under the condition that it does not revert; that condition is kept, so that
  a theorem may ask for it too.
- Unchecked arithmetic, and a conversion to a narrower type, give the value where it fits and anything where
  it does not; whether it fits is kept as well.
- Solady's primitives are taken at their word: `fullMulDiv` and its like are the exact quotient, rounded as
  named; `expWad`, `lnWad`, `sqrt` and `cbrt` are any functions as in `tests.proofs.primitives`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

import z3

from tests.proofs.paths import LARGEST, DeadEndError, Path, Term
from tests.proofs.primitives import PRIMITIVES
from tests.proofs.tree import Node, Trees

LONGEST_LOOP = 80
UNITS = {None: 1, "seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400}
INTEGER = re.compile(r"(u?)int(\d+)")
COMPARISONS: dict[str, Callable[[Term, Term], Term]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


class ReturnedError(Exception):
    """A return statement was reached."""

    def __init__(self, value: Term) -> None:
        self.value = value


class Model:
    """The functions of some syntax trees, ready to be called along a path."""

    def __init__(self, trees: Trees) -> None:
        self.trees = trees

    def call(self, path: Path, library: str, name: str, *arguments: Term) -> Term:
        """Call ``library.name``; the facts that it rests on are added to the path."""
        return Frame(self.trees, path).call(self.trees.function(library, name), list(arguments))

    def struct(self, path: Path, holder: str, name: str, **known: Term) -> dict[str, Term]:
        """Return a struct with the members given, each other one anything of its type."""
        members: dict[str, Term] = {}
        for member in self.trees.struct(holder, name)["members"]:
            members[member["name"]] = known.get(member["name"])
            if members[member["name"]] is None:
                members[member["name"]] = anything(path, member)
        return members


def bounds(kind: str) -> tuple[int, int]:
    """Return the least and the largest value of an integer type."""
    match = INTEGER.match(kind)
    if match is None:
        raise NotImplementedError(f"no integer: {kind}")
    bits = int(match.group(2))
    return (0, 2**bits - 1) if match.group(1) else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def anything(path: Path, declaration: Node) -> Term:
    """Return an unknown value of a declaration's type."""
    value = path.fresh(declaration["name"])
    low, high = bounds(declaration["typeDescriptions"]["typeString"])
    path.learn(z3.And(value >= low, value <= high))
    return value


class Frame:
    """Variables of one call, by the compiler's ids, and how each kind of node is evaluated."""

    def __init__(self, trees: Trees, path: Path) -> None:
        self.trees = trees
        self.path = path
        self.variables: dict[int, Term] = {}
        self.unchecked = False

    def call(self, definition: Node, arguments: list[Term]) -> Term:
        """Evaluate a function's body."""
        frame = Frame(self.trees, self.path)
        parameters = definition["parameters"]["parameters"]
        for parameter, argument in zip(parameters, arguments, strict=True):
            frame.variables[parameter["id"]] = argument
        results = definition["returnParameters"]["parameters"]
        for result in results:
            frame.variables[result["id"]] = frame.zero(result)
        try:
            frame.execute(definition["body"])
        except ReturnedError as returned:
            return returned.value
        values = [frame.variables[result["id"]] for result in results]
        return values[0] if len(values) == 1 else tuple(values) or True

    def zero(self, declaration: Node) -> Term:
        """Return what a variable of a type holds before anything is assigned."""
        kind = declaration["typeDescriptions"]["typeString"]
        if kind == "bool":
            return False
        if not kind.startswith("struct "):
            return 0
        definition = self.trees.by_id[declaration["typeName"]["referencedDeclaration"]]
        return {member["name"]: self.zero(member) for member in definition["members"]}

    # ------------------------------------------------------------------ statements

    def execute(self, node: Node) -> None:
        """Run a statement."""
        getattr(self, f"_execute_{node['nodeType']}")(node)

    def _execute_Block(self, node: Node) -> None:  # noqa: N802 -- the compiler's name of the node
        for statement in node["statements"]:
            self.execute(statement)

    def _execute_UncheckedBlock(self, node: Node) -> None:  # noqa: N802
        self.unchecked = True
        self._execute_Block(node)
        self.unchecked = False

    def _execute_IfStatement(self, node: Node) -> None:  # noqa: N802
        if self.path.branch(self.value(node["condition"])):
            self.execute(node["trueBody"])
        elif node.get("falseBody"):
            self.execute(node["falseBody"])

    def _execute_ForStatement(self, node: Node) -> None:  # noqa: N802
        """Unroll: each path ends on its own, or the theorem bounds what is counted."""
        if node.get("initializationExpression"):
            self.execute(node["initializationExpression"])
        for _ in range(LONGEST_LOOP):
            if not self.path.branch(self.value(node["condition"])):
                return
            self.execute(node["body"])
            self.execute(node["loopExpression"])
        self.path.require(False)

    def _execute_Return(self, node: Node) -> None:  # noqa: N802
        definition = self.trees.by_id[node["functionReturnParameters"]]
        if node.get("expression"):
            raise ReturnedError(self.value(node["expression"]))
        values = [self.variables[result["id"]] for result in definition["parameters"]]
        raise ReturnedError(values[0] if len(values) == 1 else tuple(values) or True)

    def _execute_RevertStatement(self, node: Node) -> None:  # noqa: N802
        self.path.require(False)
        raise DeadEndError

    def _execute_ExpressionStatement(self, node: Node) -> None:  # noqa: N802
        self.value(node["expression"])

    def _execute_VariableDeclarationStatement(self, node: Node) -> None:  # noqa: N802
        value = self.value(node["initialValue"]) if node.get("initialValue") else None
        declarations = node["declarations"]
        values = [value] if len(declarations) == 1 else value
        for index, declaration in enumerate(declarations):
            if declaration is not None:
                given = self.zero(declaration) if values is None or values[index] is None else values[index]
                self.variables[declaration["id"]] = given

    # ------------------------------------------------------------------ expressions

    def value(self, node: Node) -> Term:
        """Evaluate an expression."""
        return getattr(self, f"_{node['nodeType']}")(node)

    def _Literal(self, node: Node) -> Term:  # noqa: N802
        if node["kind"] == "bool":
            return node["value"] == "true"
        digits, _, exponent = node["value"].replace("_", "").partition("e")
        if "." in digits:
            number = int(Decimal(node["value"].replace("_", "")))
        else:
            number = int(digits, 0) * 10 ** int(exponent or 0)
        return number * UNITS[node.get("subdenomination")]

    def _Identifier(self, node: Node) -> Term:  # noqa: N802
        reference = node["referencedDeclaration"]
        if reference in self.variables:
            return self.variables[reference]
        declaration = self.trees.by_id[reference]
        if not declaration.get("constant"):
            raise NotImplementedError(f"{node['name']} is neither a variable of the call nor a constant")
        return self.value(declaration["value"])

    def _TupleExpression(self, node: Node) -> Term:  # noqa: N802
        parts = [self.value(part) for part in node["components"]]
        return parts[0] if len(parts) == 1 else tuple(parts)

    def _Conditional(self, node: Node) -> Term:  # noqa: N802
        taken = self.path.branch(self.value(node["condition"]))
        return self.value(node["trueExpression" if taken else "falseExpression"])

    def _UnaryOperation(self, node: Node) -> Term:  # noqa: N802
        operand = self.value(node["subExpression"])
        if node["operator"] == "++":
            self.assign(node["subExpression"], self.checked(operand + 1, node))
            return operand + 1  # the libraries count in front
        if node["operator"] == "!":
            return not operand if isinstance(operand, bool) else z3.Not(operand)
        if node["operator"] == "-":
            return self.checked(-operand, node)
        raise NotImplementedError(f"operator {node['operator']}")

    def _BinaryOperation(self, node: Node) -> Term:  # noqa: N802
        operator = node["operator"]
        left = self.value(node["leftExpression"])
        if operator in ("&&", "||"):
            # the right side runs, and may revert, only where the left does not decide
            decided = self.path.branch(left) is (operator == "||")
            return operator == "||" if decided else self.value(node["rightExpression"])
        right = self.value(node["rightExpression"])
        if operator in COMPARISONS:
            return COMPARISONS[operator](left, right)
        return self.arithmetic(operator, left, right, node)

    def arithmetic(self, operator: str, left: Term, right: Term, node: Node) -> Term:
        """Evaluate checked arithmetic; between constants it is exact and of no type."""
        if operator == "+":
            return self.checked(left + right, node)
        if operator == "-":
            return self.checked(left - right, node)
        if operator == "*":
            return self.checked(left * right, node)
        if operator in ("/", "%"):
            self.path.require(right != 0)
            quotient = self.quotient(left, right, node)
            return quotient if operator == "/" else left - quotient * right
        if operator == "**":
            return self.checked(self.power(left, right), node)
        return self.bitwise(operator, left, right, node)

    def power(self, base: int, exponent: Term) -> Term:
        """Raise a constant to a power that the path settles."""
        return base ** self.path.settled(exponent)

    def bitwise(self, operator: str, left: Term, right: int, node: Node) -> Term:
        """Shift and mask by constants, as arithmetic."""
        if operator == "<<":
            low, high = (
                (0, LARGEST) if INTEGER.fullmatch(self.kind_of(node)) is None else bounds(self.kind_of(node))
            )
            return self.path.narrow(left * 2**right, low, high)
        if operator == ">>":
            return self.path.floor(left, 2**right)
        if operator == "&" and right & (right + 1) == 0:
            return left - self.path.floor(left, right + 1) * (right + 1)
        if operator == "|":
            room = 2 ** right.bit_length()
            self.path.checks.append((list(self.path.facts), self.path.floor(left, room) * room == left))
            return left + right
        raise NotImplementedError(f"operator {operator}")

    def quotient(self, left: Term, right: Term, node: Node) -> Term:
        """Divide toward zero."""
        kind = node["typeDescriptions"]["typeString"]
        if kind.startswith("int") and not kind.startswith("int_const"):
            if self.path.branch(left < 0):
                return -self.path.floor(-left, right)
            self.path.learn(right > 0)  # the libraries divide signed numbers by positive ones alone
        return self.path.floor(left, right)

    def checked(self, value: Term, node: Node) -> Term:
        """Return a value under the condition that it fits its type; unchecked, anything where it does not."""
        kind = node["typeDescriptions"]["typeString"]
        if INTEGER.fullmatch(kind) is None:
            return value
        low, high = bounds(kind)
        if self.unchecked:
            return self.path.narrow(value, low, high)
        if isinstance(value, int):
            self.path.require(low <= value <= high)
        else:
            self.path.require(z3.And(value >= low, value <= high))
        return value

    def _Assignment(self, node: Node) -> Term:  # noqa: N802
        value = self.value(node["rightHandSide"])
        if node["operator"] != "=":
            left = self.value(node["leftHandSide"])
            value = self.arithmetic(node["operator"][:-1], left, value, node)
        self.assign(node["leftHandSide"], value)
        return value

    def assign(self, target: Node, value: Term) -> None:
        """Store a value in a variable, a member or several."""
        if target["nodeType"] == "TupleExpression":
            for part, given in zip(target["components"], value, strict=True):
                self.assign(part, given)
        elif target["nodeType"] == "MemberAccess":
            self.value(target["expression"])[target["memberName"]] = value
        else:
            self.variables[target["referencedDeclaration"]] = value

    def _MemberAccess(self, node: Node) -> Term:  # noqa: N802
        of = node["expression"]
        member = node["memberName"]
        if of["nodeType"] == "FunctionCall" and member in ("min", "max"):  # type(uint8).max
            low, high = bounds(node["typeDescriptions"]["typeString"])
            return low if member == "min" else high
        if node.get("referencedDeclaration") and self.trees.by_id[node["referencedDeclaration"]].get(
            "constant"
        ):
            return self.value(self.trees.by_id[node["referencedDeclaration"]]["value"])
        return self.value(of)[member]

    # ------------------------------------------------------------------ calls

    def _FunctionCall(self, node: Node) -> Term:  # noqa: N802
        arguments = [self.value(argument) for argument in node["arguments"]]
        if node["kind"] == "typeConversion":
            return self.converted(arguments[0], node)
        called = node["expression"]
        if node["kind"] == "structConstructorCall":
            definition = self.trees.by_id[called["referencedDeclaration"]]
            names = node["names"] or [member["name"] for member in definition["members"]]
            return dict(zip(names, arguments, strict=True))
        definition = self.trees.by_id[called["referencedDeclaration"]]
        attached = called["nodeType"] == "MemberAccess" and "function" not in self.kind_of(
            called["expression"]
        )
        if attached and len(arguments) < len(definition["parameters"]["parameters"]):
            arguments.insert(0, self.value(called["expression"]))
        primitive = PRIMITIVES.get(definition["name"]) if self.is_primitive(definition) else None
        return primitive(self.path, *arguments) if primitive else self.call(definition, arguments)

    def kind_of(self, node: Node) -> str:
        """Return the compiler's name of an expression's type."""
        return str(node["typeDescriptions"]["typeString"])

    def is_primitive(self, definition: Node) -> bool:
        """Whether a function is one of Solady's, which are not looked into."""
        holder = self.trees.by_id[definition["scope"]]
        return holder.get("name") == "FixedPointMathLib"

    def converted(self, value: Term, node: Node) -> Term:
        """Convert to another type; a narrower one may change the value."""
        kind = self.kind_of(node)
        if INTEGER.fullmatch(kind) is None:
            raise NotImplementedError(f"conversion to {kind}")
        source = self.kind_of(node["arguments"][0])
        low, high = bounds(kind)
        if INTEGER.fullmatch(source):
            least, most = bounds(source)
            if low <= least and most <= high:
                return value
        return self.path.narrow(value, low, high)


__all__ = ["LARGEST", "Frame", "Model", "anything", "bounds"]
