"""Turns a syntax tree into a function, once; evaluating is then calling it.

A function takes the scope, the parameters of the lambdas that are running, and the meter. The steps of a tree are
charged as a whole where it is entered: at the root, and at each call of a lambda.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn, TypeAlias

from msgspec import Struct

from scaiflow_api.expressions.errors import EvaluationError, OperationError
from scaiflow_api.expressions.limits import TEXT_PER_STEP, Meter
from scaiflow_api.expressions.methods.lookup import find_method
from scaiflow_api.expressions.methods.signature import Function, Given
from scaiflow_api.expressions.operators import NULL_REFUSING, apply_binary, element, equal, member, negated
from scaiflow_api.expressions.syntax import (
    Binary,
    Call,
    Conditional,
    Index,
    Lambda,
    LeftRecursive,
    ListLiteral,
    Literal,
    Logical,
    MapLiteral,
    Member,
    Name,
    Node,
    Unary,
)
from scaiflow_api.expressions.values import NUMBERS, SMALL, Value, is_number
from scaiflow_api.expressions.wording import excerpt


class Binding(Struct, frozen=True):
    """The parameter of a lambda that is running, and those of the lambdas around it."""

    value: Value
    outer: "Binding | None"


Code: TypeAlias = Callable[[Mapping[str, Value], Binding | None, Meter], Value]
_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_BOUNDED: dict[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}
"""What gives no number out of range from two small ones."""
_NESTED = 16
"""How long a chain of left operands may be for its functions to call each other; longer ones go in a loop."""


def code_of(root: Node, source: str) -> Code:
    """Return the function of a whole expression, which charges its steps."""
    writer = _Writer(source)
    run = writer.code(root, ())
    steps = writer.steps

    def whole(scope: Mapping[str, Value], bound: Binding | None, meter: Meter) -> Value:
        try:
            meter.charge(steps)
        except OperationError as problem:
            raise EvaluationError(f"`{excerpt(source)}`: {problem}", source) from None
        return run(scope, bound, meter)

    return whole


class _Writer:
    """Writes the functions of one expression. `names` are the parameters of the lambdas around, innermost first."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.steps = 0
        """Nodes seen so far, but for those in lambdas."""

    def code(self, node: Node, names: tuple[str, ...]) -> Code:
        if isinstance(node, LeftRecursive):
            return self._chain(node, names)
        self.steps += 1
        match node:
            case Literal(value=value):
                return lambda scope, bound, meter: value
            case Name(name=name):
                return _named(name, names)
            case Unary():
                return self._unary(node, names)
            case Conditional():
                return self._conditional(node, names)
            case ListLiteral():
                return self._list(node, names)
            case MapLiteral():
                return self._map(node, names)
        raise AssertionError(f"no code for {type(node).__name__}")

    # Chains of left operands, which may be as long as the text

    def _chain(self, node: LeftRecursive, names: tuple[str, ...]) -> Code:
        links = list(_links(node))
        self.steps += len(links)
        code = self.code(links[-1].left, names)
        if len(links) <= _NESTED:
            for link in reversed(links):
                code = self._link(link, code, names)
            return code
        start = code
        following = [self._link(link, _held, names) for link in reversed(links)]

        def loop(scope: Mapping[str, Value], bound: Binding | None, meter: Meter) -> Value:
            value = start(scope, bound, meter)
            for link in following:
                meter.held = value
                value = link(scope, bound, meter)
            return value

        return loop

    def _link(self, node: LeftRecursive, left: Code, names: tuple[str, ...]) -> Code:
        match node:
            case Member():
                return _member(node.name, left)
            case Index():
                return self._index(node, left, names)
            case Logical():
                return _logical(node.operator, left, self.code(node.right, names))
            case Binary():
                return self._binary(node, left, names)
            case Call():
                return self._call(node, left, names)
        raise AssertionError(f"no code for {type(node).__name__}")

    def _index(self, node: Index, left: Code, names: tuple[str, ...]) -> Code:
        index = self.code(node.index, names)
        return lambda scope, bound, meter: element(left(scope, bound, meter), index(scope, bound, meter))

    def _binary(self, node: Binary, left: Code, names: tuple[str, ...]) -> Code:
        right = self.code(node.right, names)
        symbol = node.operator
        if symbol in _ORDERINGS:
            return self._ordering(node, left, right)
        if symbol in {"==", "!="}:
            return self._equality(node, left, right)
        if symbol in _BOUNDED:
            return self._arithmetic(node, left, right)

        def binary(scope: Mapping[str, Value], bound: Binding | None, meter: Meter) -> Value:
            return self._apply(node, left(scope, bound, meter), right(scope, bound, meter), meter)

        return binary

    def _ordering(self, node: Binary, left: Code, right: Code) -> Code:
        compare = _ORDERINGS[node.operator]

        number = _number(node.right)
        if number is not None:

            def ordering_with(scope: Mapping[str, Value], bound: Binding | None, meter: Meter) -> Value:
                one = left(scope, bound, meter)
                return compare(one, number) if type(one) in NUMBERS else self._apply(node, one, number, meter)

            return ordering_with

        def ordering(scope: Mapping[str, Value], bound: Binding | None, meter: Meter) -> Value:
            one, other = left(scope, bound, meter), right(scope, bound, meter)
            if type(one) in NUMBERS and type(other) in NUMBERS:
                return compare(one, other)
            return self._apply(node, one, other, meter)

        return ordering

    def _arithmetic(self, node: Binary, left: Code, right: Code) -> Code:
        calculate = _BOUNDED[node.operator]

        number = _number(node.right)
        if number is not None and -SMALL < number < SMALL:

            def arithmetic_with(scope: Mapping[str, Value], bound: Binding | None, meter: Meter) -> Value:
                one: Any = left(scope, bound, meter)
                if type(one) in NUMBERS and -SMALL < one < SMALL:
                    return calculate(one, number)  # type: ignore[no-any-return]
                return self._apply(node, one, number, meter)

            return arithmetic_with

        def arithmetic(scope: Mapping[str, Value], bound: Binding | None, meter: Meter) -> Value:
            one: Any = left(scope, bound, meter)
            other: Any = right(scope, bound, meter)
            if (
                type(one) in NUMBERS
                and type(other) in NUMBERS
                and -SMALL < one < SMALL
                and -SMALL < other < SMALL
            ):
                number: Value = calculate(one, other)
                return number
            return self._apply(node, one, other, meter)

        return arithmetic

    def _equality(self, node: Binary, left: Code, right: Code) -> Code:
        wanted = node.operator == "=="

        def equality(scope: Mapping[str, Value], bound: Binding | None, meter: Meter) -> Value:
            one, other = left(scope, bound, meter), right(scope, bound, meter)
            if type(one) is str and type(other) is str and len(one) < TEXT_PER_STEP:
                return (one == other) is wanted
            try:
                return equal(one, other, meter) is wanted
            except OperationError as problem:
                self._fail(node, problem)

        return equality

    def _apply(self, node: Binary, left: Value, right: Value, meter: Meter) -> Value:
        if node.operator in NULL_REFUSING:
            self._refuse_null(node, left, node.left)
            self._refuse_null(node, right, node.right)
        try:
            return apply_binary(node.operator, left, right, meter)
        except OperationError as problem:
            self._fail(node, problem)

    def _call(self, node: Call, left: Code, names: tuple[str, ...]) -> Code:
        positional = [self._argument(item.value, names) for item in node.arguments if item.name is None]
        named = [(item.name, self._argument(item.value, names)) for item in node.arguments if item.name]

        def call(scope: Mapping[str, Value], bound: Binding | None, meter: Meter) -> Value:
            target = left(scope, bound, meter)
            try:
                method = find_method(target, node.method)
                given = [argument(scope, bound, meter) for argument in positional]
                by_name = {name: argument(scope, bound, meter) for name, argument in named}
                return method.run(meter, target, *method.bind(given, by_name))
            except OperationError as problem:
                self._fail(node, problem)

        return call

    def _argument(
        self, node: Node, names: tuple[str, ...]
    ) -> Callable[[Mapping[str, Value], Binding | None, Meter], Given]:
        if not isinstance(node, Lambda):
            return self.code(node, names)
        outside, self.steps = self.steps, 0
        body = self.code(node.body, (node.parameter, *names))
        steps, self.steps = self.steps, outside + 1

        def function(scope: Mapping[str, Value], bound: Binding | None, meter: Meter) -> Function:
            def run(item: Value) -> Value:
                meter.charge(steps)
                return body(scope, Binding(item, bound), meter)

            return run

        return function

    # Everything else

    def _unary(self, node: Unary, names: tuple[str, ...]) -> Code:
        operand = self.code(node.operand, names)
        if node.operator == "!":
            return lambda scope, bound, meter: not operand(scope, bound, meter)

        def negative(scope: Mapping[str, Value], bound: Binding | None, meter: Meter) -> Value:
            value = operand(scope, bound, meter)
            self._refuse_null(node, value, node.operand)
            try:
                return negated(value)
            except OperationError as problem:
                self._fail(node, problem)

        return negative

    def _conditional(self, node: Conditional, names: tuple[str, ...]) -> Code:
        """Write a chain of conditionals, which goes on through `otherwise`."""
        ways: list[tuple[Code, Code]] = []
        last: Node = node
        while isinstance(last, Conditional):
            ways.append((self.code(last.condition, names), self.code(last.then, names)))
            last = last.otherwise
            self.steps += 1
        otherwise = self.code(last, names)
        if len(ways) == 1:
            return _either(*ways[0], otherwise)

        def conditional(scope: Mapping[str, Value], bound: Binding | None, meter: Meter) -> Value:
            for condition, then in ways:
                if condition(scope, bound, meter):
                    return then(scope, bound, meter)
            return otherwise(scope, bound, meter)

        return conditional

    def _list(self, node: ListLiteral, names: tuple[str, ...]) -> Code:
        items = [self.code(item, names) for item in node.items]

        def build(scope: Mapping[str, Value], bound: Binding | None, meter: Meter) -> Value:
            return self._measured(node, [item(scope, bound, meter) for item in items], meter)

        return build

    def _map(self, node: MapLiteral, names: tuple[str, ...]) -> Code:
        entries = [(key, self.code(item, names)) for key, item in node.entries]

        def build(scope: Mapping[str, Value], bound: Binding | None, meter: Meter) -> Value:
            return self._measured(node, {key: item(scope, bound, meter) for key, item in entries}, meter)

        return build

    def _measured(self, node: Node, value: Value, meter: Meter) -> Value:
        try:
            meter.measure(value)
        except OperationError as problem:
            self._fail(node, problem)
        return value

    def _refuse_null(self, node: Node, value: Value, operand: Node) -> None:
        if value is None:
            text = self._text(operand)
            raise EvaluationError(
                f"`{excerpt(text)}` is null, so `{excerpt(self._text(node))}` has no value", text
            )

    def _fail(self, node: Node, problem: OperationError) -> NoReturn:
        text = self._text(node)
        raise EvaluationError(f"`{excerpt(text)}`: {problem}", text) from None

    def _text(self, node: Node) -> str:
        return self._source[node.start : node.end]


def _links(node: Node) -> Iterator[LeftRecursive]:
    """Yield the nodes of a chain, the last operation first."""
    while isinstance(node, LeftRecursive):
        yield node
        node = node.left


def _held(scope: Mapping[str, Value], bound: Binding | None, meter: Meter) -> Value:
    """Return the left operand of a link in a long chain; nothing runs between its being held and this."""
    return meter.held


def _named(name: str, names: tuple[str, ...]) -> Code:
    if name not in names:
        return lambda scope, bound, meter: scope.get(name)
    outward = names.index(name)

    def parameter(scope: Mapping[str, Value], bound: Binding | None, meter: Meter) -> Value:
        for _ in range(outward):
            assert bound is not None
            bound = bound.outer
        assert bound is not None
        return bound.value

    return parameter


def _number(node: Node) -> int | float | None:
    """Return the number that an operand always is: such an operand needs no call."""
    value = node.value if isinstance(node, Literal) else None
    return value if is_number(value) else None


def _either(condition: Code, then: Code, otherwise: Code) -> Code:
    def either(scope: Mapping[str, Value], bound: Binding | None, meter: Meter) -> Value:
        if condition(scope, bound, meter):
            return then(scope, bound, meter)
        return otherwise(scope, bound, meter)

    return either


def _member(name: str, left: Code) -> Code:
    if name == "length":
        return lambda scope, bound, meter: member(left(scope, bound, meter), name)

    def found(scope: Mapping[str, Value], bound: Binding | None, meter: Meter) -> Value:
        value = left(scope, bound, meter)
        return value.get(name) if type(value) is dict else member(value, name)

    return found


def _logical(symbol: str, left: Code, right: Code) -> Code:
    match symbol:
        case "&&":
            return lambda scope, bound, meter: left(scope, bound, meter) and right(scope, bound, meter)
        case "||":
            return lambda scope, bound, meter: left(scope, bound, meter) or right(scope, bound, meter)

    def coalesced(scope: Mapping[str, Value], bound: Binding | None, meter: Meter) -> Value:
        value = left(scope, bound, meter)
        return right(scope, bound, meter) if value is None else value

    return coalesced
