"""The syntax tree. Every node knows where its text stands: `source[start:end]`.

Left-recursive nodes (`a + b + c`, `a.b.c`) may chain as long as the text allows. Whoever walks the tree follows
`left` in a loop and recurses only elsewhere, where the parser bounds the depth.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scaiflow_api.expressions.values import Value


@dataclass(frozen=True, slots=True)
class Node:
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A number, string, symbol, duration (its seconds), `true`, `false` or `null`."""

    value: Value


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A root name of the scope, or the parameter of a lambda around it."""

    name: str


@dataclass(frozen=True, slots=True)
class ListLiteral(Node):
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapLiteral(Node):
    entries: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`!` or `-` before an operand."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """`condition ? then : otherwise`; chains through `otherwise`, which walkers also follow in a loop."""

    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class LeftRecursive(Node):
    """A node that begins with another one."""

    left: Node


@dataclass(frozen=True, slots=True)
class Member(LeftRecursive):
    name: str


@dataclass(frozen=True, slots=True)
class Index(LeftRecursive):
    index: Node


@dataclass(frozen=True, slots=True)
class Binary(LeftRecursive):
    """An operator that always evaluates both operands."""

    operator: str
    right: Node


@dataclass(frozen=True, slots=True)
class Logical(LeftRecursive):
    """`??`, `||` or `&&`: evaluates the right operand only if the left one does not decide."""

    operator: str
    right: Node


@dataclass(frozen=True, slots=True)
class Lambda(Node):
    """`parameter => body`; stands only as an argument."""

    parameter: str
    body: Node


@dataclass(frozen=True, slots=True)
class Argument:
    value: Node
    name: str | None


@dataclass(frozen=True, slots=True)
class Call(LeftRecursive):
    method: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression; equal to another one of the same text."""

    source: str
    names: frozenset[str] = field(compare=False)
    """The free root names: what the scope may be asked for."""
    root: Node = field(compare=False, repr=False)
    code: Callable[..., Any] | None = field(default=None, compare=False, repr=False)
    """The function that evaluates it, kept here from the first evaluation on."""
