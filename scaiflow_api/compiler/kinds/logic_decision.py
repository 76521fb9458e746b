"""`logic_decision`: one of several ways, by the conditions on the edges. Its step is `match`.

Matches without a node, which lowering makes for the conditional edges of other kinds and for flags, have the
same step.
"""

from typing import Literal

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import JSON, LOGIC, Common, FallibleConfig, StepKind, Surroundings
from scaiflow_api.compiler.kinds.steps import ON_ERROR, ReadBody, Step, WriteBody
from scaiflow_api.compiler.manifest.section import Section
from scaiflow_api.expressions import ExpressionSyntaxError, parse, syntax, unwrap

STEP_KEY = "match"


class LogicDecisionConfig(FallibleConfig):
    """How the conditions of the outgoing edges are read."""

    style: Literal["if", "match"] = "if"
    """`match` compares the subject with conditions that are literals (other than `true`)."""
    subject: str | None = None
    """Needed by `match`; with `if` only a hint for the editor."""


def lower(config: LogicDecisionConfig, around: Surroundings) -> ir.MatchBlock:
    """Return the block without its arms: those are the node's edges, which lowering adds."""
    subject = unwrap(config.subject)[0] if config.style == "match" and config.subject is not None else None
    return ir.MatchBlock(**around.common, subject=subject, arms=(), on_error=config.on_error)


def config_of(block: ir.MatchBlock) -> dict[str, JSON]:
    return {} if block.subject is None else {"style": "match", "subject": block.subject}


def compares(condition: str) -> bool:
    """Return whether a condition of a match is a value to compare the subject with."""
    try:
        root = parse(condition).root
    except ExpressionSyntaxError:
        return False
    return _is_literal(root) and not (isinstance(root, syntax.Literal) and root.value is True)


def _is_literal(node: syntax.Node) -> bool:
    match node:
        case syntax.Literal():
            return True
        case syntax.ListLiteral():
            return all(_is_literal(item) for item in node.items)
        case syntax.MapLiteral():
            return all(_is_literal(value) for _, value in node.entries)
        case syntax.Unary(operator="-", operand=syntax.Literal()):
            return True
        case _:
            return False


def write_step(block: ir.MatchBlock, write_body: WriteBody) -> Step:
    match: Step = {} if block.subject is None else {"subject": block.subject}
    match["arms"] = [_write_arm(arm, write_body) for arm in block.arms]
    if block.else_body:
        match["else"] = write_body(block.else_body)
    return {STEP_KEY: match}


def _write_arm(arm: ir.MatchArm, write_body: WriteBody) -> Step:
    edge = {} if arm.edge_id is None else {"edge": arm.edge_id}
    return {"when": arm.condition, **edge, "steps": write_body(arm.body)}


def read_step(step: Section, common: Common, read_body: ReadBody) -> ir.MatchBlock:
    match = step.section(STEP_KEY)
    subject = match.optional_expression("subject")
    arms = []
    for arm in match.sections("arms"):
        condition = arm.optional_expression("when")
        if condition is None:
            raise arm.fail("when", "an expression")
        arms.append(
            ir.MatchArm(
                condition=condition,
                edge_id=arm.optional_text("edge"),
                body=read_body(arm, "steps"),
                compares=subject is not None and compares(condition),
            )
        )
    return ir.MatchBlock(
        **common,
        subject=subject,
        arms=tuple(arms),
        else_body=read_body(match, "else"),
        on_error=step.choice("on_error", ON_ERROR),
    )


LOGIC_DECISION = StepKind(
    name="logic_decision",
    title="Decision",
    description="Takes one of several ways, by the conditions on the edges.",
    category=LOGIC,
    config=LogicDecisionConfig,
    lower=lower,
    config_of=config_of,
    yields=False,
)
