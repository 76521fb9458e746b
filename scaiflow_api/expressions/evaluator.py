"""Evaluates expressions: walks the tree with a scope and a meter, without side effects."""

from collections.abc import Mapping
from dataclasses import dataclass

from scaiflow_api.expressions.errors import EvaluationError, OperationError
from scaiflow_api.expressions.limits import DEFAULT, Limits, Meter
from scaiflow_api.expressions.methods.lookup import find_method
from scaiflow_api.expressions.methods.signature import Function
from scaiflow_api.expressions.operators import NULL_REFUSING, apply_binary, element, member, negated
from scaiflow_api.expressions.syntax import (
    Binary,
    Call,
    Conditional,
    Expression,
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
from scaiflow_api.expressions.values import Value, truthy
from scaiflow_api.expressions.wording import excerpt


def evaluate(expression: Expression, scope: Mapping[str, Value], *, limits: Limits = DEFAULT) -> Value:
    """Return the expression's value. Raises EvaluationError, and nothing else, when it has none.

    Lists and maps may be shared with the scope: treat them as read-only.
    """
    return evaluate_metered(expression, scope, Meter(limits))


def evaluate_metered(expression: Expression, scope: Mapping[str, Value], meter: Meter) -> Value:
    """Evaluate as one of several expressions that share the bounds of `meter`."""
    value = _Evaluator(expression.source, scope, meter).value(expression.root, None)
    try:
        meter.measure(value)
    except OperationError as problem:
        raise EvaluationError(f"`{excerpt(expression.source)}`: {problem}", expression.source) from None
    return value


@dataclass(frozen=True, slots=True)
class _Binding:
    """The parameter of a lambda that is running, and those of the lambdas around it."""

    name: str
    value: Value
    outer: "_Binding | None"


class _Evaluator:
    def __init__(self, source: str, scope: Mapping[str, Value], meter: Meter) -> None:
        self._source = source
        self._scope = scope
        self._meter = meter

    def value(self, node: Node, bound: _Binding | None) -> Value:
        """Return the value of a node, following chains of conditionals and left operands without recursion."""
        while isinstance(node, Conditional):
            self._step(node)
            node = node.then if truthy(self.value(node.condition, bound)) else node.otherwise
        chain: list[LeftRecursive] = []
        while isinstance(node, LeftRecursive):
            chain.append(node)
            node = node.left
        value = self._start(node, bound)
        while chain:
            value = self._continue(chain.pop(), value, bound)
        return value

    def _start(self, node: Node, bound: _Binding | None) -> Value:
        self._step(node)
        match node:
            case Literal():
                return node.value
            case Name():
                return self._named(node.name, bound)
            case Unary():
                return self._unary(node, bound)
            case ListLiteral():
                return self._built(node, [self.value(item, bound) for item in node.items])
            case MapLiteral():
                return self._built(node, {key: self.value(item, bound) for key, item in node.entries})
        return self.value(node, bound)

    def _continue(self, node: LeftRecursive, left: Value, bound: _Binding | None) -> Value:
        self._step(node)
        try:
            match node:
                case Member():
                    return member(left, node.name)
                case Index():
                    return element(left, self.value(node.index, bound))
                case Logical():
                    return left if _decides(node.operator, left) else self.value(node.right, bound)
                case Binary():
                    right = self.value(node.right, bound)
                    if node.operator in NULL_REFUSING:
                        self._refuse_null(node, left, node.left)
                        self._refuse_null(node, right, node.right)
                    return apply_binary(node.operator, left, right, self._meter)
                case Call():
                    return self._call(node, left, bound)
        except OperationError as problem:
            raise self._failure(node, str(problem)) from None
        raise AssertionError(f"no rule for {type(node).__name__}")

    def _named(self, name: str, bound: _Binding | None) -> Value:
        while bound is not None:
            if bound.name == name:
                return bound.value
            bound = bound.outer
        return self._scope.get(name)

    def _unary(self, node: Unary, bound: _Binding | None) -> Value:
        operand = self.value(node.operand, bound)
        if node.operator == "!":
            return not truthy(operand)
        self._refuse_null(node, operand, node.operand)
        try:
            return negated(operand)
        except OperationError as problem:
            raise self._failure(node, str(problem)) from None

    def _call(self, node: Call, target: Value, bound: _Binding | None) -> Value:
        method = find_method(target, node.method)
        positional: list[Value | Function] = []
        named: dict[str, Value | Function] = {}
        for argument in node.arguments:
            given = self._argument(argument.value, bound)
            if argument.name is None:
                positional.append(given)
            else:
                named[argument.name] = given
        return method.run(self._meter, target, *method.bind(positional, named))

    def _argument(self, node: Node, bound: _Binding | None) -> Value | Function:
        if not isinstance(node, Lambda):
            return self.value(node, bound)
        parameter, body = node.parameter, node.body
        return lambda item: self.value(body, _Binding(parameter, item, bound))

    def _built(self, node: Node, value: Value) -> Value:
        try:
            self._meter.measure(value)
        except OperationError as problem:
            raise self._failure(node, str(problem)) from None
        return value

    def _step(self, node: Node) -> None:
        try:
            self._meter.charge()
        except OperationError as problem:
            raise self._failure(node, str(problem)) from None

    def _refuse_null(self, node: Node, value: Value, operand: Node) -> None:
        if value is None:
            text = self._text(operand)
            raise EvaluationError(
                f"`{excerpt(text)}` is null, so `{excerpt(self._text(node))}` has no value", text
            )

    def _failure(self, node: Node, problem: str) -> EvaluationError:
        text = self._text(node)
        return EvaluationError(f"`{excerpt(text)}`: {problem}", text)

    def _text(self, node: Node) -> str:
        return self._source[node.start : node.end]


def _decides(operator: str, left: Value) -> bool:
    match operator:
        case "??":
            return left is not None
        case "||":
            return truthy(left)
    return not truthy(left)
