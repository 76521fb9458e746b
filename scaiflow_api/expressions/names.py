"""Which names an expression asks its scope for."""

from collections.abc import Iterator

from scaiflow_api.expressions.syntax import (
    Binary,
    Call,
    Conditional,
    Index,
    Lambda,
    LeftRecursive,
    ListLiteral,
    Logical,
    MapLiteral,
    Name,
    Node,
    Unary,
)


def free_names(root: Node) -> frozenset[str]:
    """Return the root names that no lambda around them binds."""
    found: set[str] = set()
    nothing: frozenset[str] = frozenset()
    stack = [(root, nothing)]
    while stack:
        node, bound = stack.pop()
        if isinstance(node, Name) and node.name not in bound:
            found.add(node.name)
        elif isinstance(node, Lambda):
            stack.append((node.body, bound | {node.parameter}))
        else:
            stack.extend((child, bound) for child in _children(node))
    return frozenset(found)


def _children(node: Node) -> Iterator[Node]:
    if isinstance(node, LeftRecursive):
        yield node.left
    match node:
        case ListLiteral():
            yield from node.items
        case MapLiteral():
            yield from (value for _, value in node.entries)
        case Unary():
            yield node.operand
        case Conditional():
            yield from (node.condition, node.then, node.otherwise)
        case Index():
            yield node.index
        case Binary() | Logical():
            yield node.right
        case Call():
            yield from (argument.value for argument in node.arguments)
