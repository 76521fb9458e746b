"""Where an expression uses its root names, with which fields, and whether it expects them to be null."""

from collections.abc import Iterator

from msgspec import Struct

from scaiflow_api.expressions.names import free_names
from scaiflow_api.expressions.syntax import (
    Binary,
    Call,
    Conditional,
    Index,
    Lambda,
    ListLiteral,
    Literal,
    Logical,
    MapLiteral,
    Member,
    Name,
    Node,
    Unary,
)


class Occurrence(Struct, frozen=True, gc=False):
    """One use of a root name: `order.lines[0]` uses `order`, and of it the field `lines`."""

    name: str
    field: str | None
    """The first member that is taken of it; None where the whole value is used."""
    expects_null: bool
    """Whether the author says what happens when it is null: with `??`, a test, or a condition around."""


class _Context(Struct, frozen=True):
    field: str | None = None
    expects_null: bool = False
    tested: frozenset[str] = frozenset()
    """Names that a condition around has looked at."""
    bound: frozenset[str] = frozenset()
    """Parameters of lambdas around."""

    def inside(self, *, safe: bool = False, tested: frozenset[str] = frozenset()) -> "_Context":
        """Return the context of an operand."""
        return _Context(None, self.expects_null or safe, self.tested | tested, self.bound)


def occurrences(root: Node) -> Iterator[Occurrence]:
    """Yield the uses of free root names, in no particular order."""
    stack = [(root, _Context())]
    while stack:
        node, context = stack.pop()
        match node:
            case Name():
                if node.name not in context.bound:
                    safe = context.expects_null or node.name in context.tested
                    yield Occurrence(node.name, context.field, safe)
            case Lambda():
                bound = context.bound | {node.parameter}
                stack.append((node.body, _Context(None, context.expects_null, context.tested, bound)))
            case Member() | Index() if (field := _field(node)) is not None:
                stack.append(
                    (node.left, _Context(field, context.expects_null, context.tested, context.bound))
                )
            case _:
                stack.extend(_operands(node, context))


def _field(node: Member | Index) -> str | None:
    if isinstance(node, Member):
        return node.name
    return node.index.value if isinstance(node.index, Literal) and isinstance(node.index.value, str) else None


def _operands(node: Node, context: _Context) -> Iterator[tuple[Node, _Context]]:
    plain = context.inside()
    match node:
        case Logical(operator="??"):
            yield node.left, context.inside(safe=True)
            yield node.right, context.inside(safe=True)
        case Logical():
            yield from _conditions(node, context)
        case Conditional():
            tested = free_names(node.condition)
            yield node.condition, context.inside(safe=_is_test(node.condition))
            yield node.then, context.inside(tested=tested)
            yield node.otherwise, context.inside(tested=tested)
        case Binary():
            compared = node.operator in {"==", "!="}
            yield node.left, context.inside(safe=compared and _is_null(node.right))
            yield node.right, context.inside(safe=compared and _is_null(node.left))
        case Unary():
            yield node.operand, context.inside(safe=node.operator == "!" and _is_test(node.operand))
        case Call():
            yield node.left, context.inside(safe=node.method == "has")
            yield from ((argument.value, plain) for argument in node.arguments)
        case Index():
            yield node.left, plain
            yield node.index, plain
        case ListLiteral():
            yield from ((item, plain) for item in node.items)
        case MapLiteral():
            yield from ((value, plain) for _, value in node.entries)


def _conditions(node: Node, context: _Context) -> Iterator[tuple[Node, _Context]]:
    """Yield the operands of `&&` and `||` in a row: each has the ones before it looked at."""
    operands = []
    while isinstance(node, Logical) and node.operator != "??":
        operands.append(node.right)
        node = node.left
    yield node, context.inside(safe=_is_test(node))
    tested = free_names(node)
    for operand in reversed(operands):
        yield operand, context.inside(tested=tested)
        tested |= free_names(operand)


def _is_null(node: Node) -> bool:
    return isinstance(node, Literal) and node.value is None


def _is_test(node: Node) -> bool:
    """Return whether a condition is a bare value, or its negation: null then means no."""
    while True:
        match node:
            case Unary(operator="!"):
                node = node.operand
            case Member() | Index():
                node = node.left
            case _:
                return isinstance(node, Name)
