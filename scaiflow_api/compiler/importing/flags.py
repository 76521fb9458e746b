"""Generated flags, by which lowering leads past what structure cannot express."""

from collections import Counter

from scaiflow_api.compiler import ir


def is_flag(name: str) -> bool:
    return name.startswith(ir.RESERVED_PREFIX)


def are_flags(match: ir.MatchBlock) -> bool:
    """Return whether a match tests flags alone."""
    return bool(match.arms) and all(is_flag(arm.condition) for arm in match.arms)


def flags_set_by(block: ir.RigidBlock) -> list[str]:
    """Return the flags that a block turns on."""
    return [
        item.name
        for item in block.statements
        if isinstance(item, ir.AssignStatement) and item.value is True and is_flag(item.name)
    ]


def flag_counts(body: tuple[ir.AnyBlock, ...]) -> Counter[str]:
    """Return how often each flag is set in a body."""
    counts: Counter[str] = Counter()
    for block in ir.walk(body):
        if isinstance(block, ir.RigidBlock) and block.node_id is None:
            for name in flags_set_by(block):
                counts[name] += 1
    return counts
