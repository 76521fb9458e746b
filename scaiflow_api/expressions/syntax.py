"""The syntax tree. Every node knows where its text stands: `source[start:end]`.

Left-recursive nodes (`a + b + c`, `a.b.c`) may chain as long as the text allows. Whoever walks the tree follows
`left` in a loop and recurses only elsewhere, where the parser bounds the depth.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from scaiflow_api.expressions.values import Value


class Node(Struct, frozen=True):
    start: int
    end: int


class Literal(Node, frozen=True):
    """A number, string, symbol, duration (its seconds), `true`, `false` or `null`."""

    value: Value


class Name(Node, frozen=True):
    """A root name of the scope, or the parameter of a lambda around it."""

    name: str


class ListLiteral(Node, frozen=True):
    items: tuple[Node, ...]


class MapLiteral(Node, frozen=True):
    entries: tuple[tuple[str, Node], ...]


class Unary(Node, frozen=True):
    """`!` or `-` before an operand."""

    operator: str
    operand: Node


class Conditional(Node, frozen=True):
    """`condition ? then : otherwise`; chains through `otherwise`, which walkers also follow in a loop."""

    condition: Node
    then: Node
    otherwise: Node


class LeftRecursive(Node, frozen=True):
    """A node that begins with another one."""

    left: Node


class Member(LeftRecursive, frozen=True):
    name: str


class Index(LeftRecursive, frozen=True):
    index: Node


class Binary(LeftRecursive, frozen=True):
    """An operator that always evaluates both operands."""

    operator: str
    right: Node


class Logical(LeftRecursive, frozen=True):
    """`??`, `||` or `&&`: evaluates the right operand only if the left one does not decide."""

    operator: str
    right: Node


class Lambda(Node, frozen=True):
    """`parameter => body`; stands only as an argument."""

    parameter: str
    body: Node


class Argument(Struct, frozen=True):
    value: Node
    name: str | None


class Call(LeftRecursive, frozen=True):
    method: str
    arguments: tuple[Argument, ...]


class Expression(Struct, frozen=True, eq=False):
    """A parsed expression."""

    source: str
    names: frozenset[str]
    """The free root names: what the scope may be asked for."""
    root: Node
    code: Callable[..., Any] | None = None
    """The function that evaluates it, kept here from the first evaluation on."""
