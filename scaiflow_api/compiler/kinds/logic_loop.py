"""`logic_loop`: repeats what port `body` leads to. Its step is `foreach` or `while`."""

from typing import Annotated, Literal

from pydantic import Field

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import (
    JSON,
    LOGIC,
    Common,
    FallibleConfig,
    Port,
    StepKind,
    Surroundings,
    Text,
)
from scaiflow_api.compiler.kinds.steps import (
    ReadBody,
    Step,
    WriteBody,
    read_outputs,
    without_defaults,
    write_outputs,
)
from scaiflow_api.compiler.manifest.section import Section
from scaiflow_api.expressions import unwrap

FOREACH_KEY = "foreach"
WHILE_KEY = "while"
BODY_PORT = "body"
"""The output port whose edges lead into the rounds."""
ITEM = "item"

Count = Annotated[int, Field(ge=1)]
NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class LogicLoopConfig(FallibleConfig):
    """What is repeated, and how often at most."""

    style: Literal["foreach", "while"] = "foreach"
    """Once for each item of a list, or as long as a condition holds."""
    items: Text | None = None
    """The list, as an expression; needed by `foreach`."""
    item_var: Name = ITEM
    """The name of the item of a round."""
    index_var: Name | None = None
    """A name for the number of the round, counted from 0."""
    condition: Text | None = None
    """Tested before each round, with the results of the round before; needed by `while`."""
    max_iterations: Count | None = None
    """The loop fails when it would go on after so many rounds; needed by `while`."""
    max_concurrent: Count = 1
    """How many rounds of a `foreach` may run at once. Above 1, each works on a copy of the variables."""
    collect: Text | None = None
    """The output of a round, as an expression; without it, what the last node of the body yields."""


def lower(config: LogicLoopConfig, around: Surroundings) -> ir.ForeachBlock | ir.WhileBlock:
    """Return the block without its body and outputs: those are the node's edges, which lowering adds."""
    collect = _bare(config.collect)
    if config.style == "while":
        return ir.WhileBlock(
            **around.common,
            max_iterations=config.max_iterations,
            collect=collect,
            condition=_bare(config.condition) or "",
        )
    return ir.ForeachBlock(
        **around.common,
        max_iterations=config.max_iterations,
        collect=collect,
        items=_bare(config.items) or "",
        item_var=config.item_var,
        index_var=config.index_var,
        max_concurrent=config.max_concurrent,
    )


def _bare(text: str | None) -> str | None:
    return None if text is None else unwrap(text)[0]


def config_of(block: ir.ForeachBlock | ir.WhileBlock) -> dict[str, JSON]:
    bounds = without_defaults({"max_iterations": block.max_iterations, "collect": block.collect})
    if isinstance(block, ir.WhileBlock):
        return {"style": "while", "condition": block.condition, **bounds}
    return {"style": "foreach", **_foreach_fields(block), **bounds}


def _foreach_fields(block: ir.ForeachBlock) -> dict[str, JSON]:
    item = {} if block.item_var == ITEM else {"item_var": block.item_var}
    more = {} if block.max_concurrent == 1 else {"max_concurrent": block.max_concurrent}
    return {"items": block.items, **item, **without_defaults({"index_var": block.index_var}), **more}


def write_step(block: ir.ForeachBlock | ir.WhileBlock, write_body: WriteBody) -> Step:
    rest = {
        **without_defaults({"max_iterations": block.max_iterations, "collect": block.collect}),
        "steps": write_body(block.body),
        **without_defaults({"outputs": write_outputs(block.outputs)}),
    }
    if isinstance(block, ir.WhileBlock):
        return {WHILE_KEY: {"condition": block.condition, **rest}}
    head = {
        "items": block.items,
        "as": block.item_var,
        **without_defaults({"index_as": block.index_var}),
        **({} if block.max_concurrent == 1 else {"max_concurrent": block.max_concurrent}),
    }
    return {FOREACH_KEY: {**head, **rest}}


def read_foreach(step: Section, common: Common, read_body: ReadBody) -> ir.ForeachBlock:
    loop = step.section(FOREACH_KEY)
    return ir.ForeachBlock(
        **common,
        items=_expression(loop, "items"),
        item_var=loop.text("as", ITEM),
        index_var=loop.optional_text("index_as"),
        max_concurrent=loop.count("max_concurrent") or 1,
        max_iterations=loop.count("max_iterations"),
        collect=loop.optional_expression("collect"),
        body=read_body(loop, "steps"),
        outputs=_outputs(loop, read_body),
    )


def read_while(step: Section, common: Common, read_body: ReadBody) -> ir.WhileBlock:
    loop = step.section(WHILE_KEY)
    rounds = loop.count("max_iterations")
    if rounds is None:
        raise loop.fail("max_iterations", "a whole number: a while loop needs a bound")
    return ir.WhileBlock(
        **common,
        condition=_expression(loop, "condition"),
        max_iterations=rounds,
        collect=loop.optional_expression("collect"),
        body=read_body(loop, "steps"),
        outputs=_outputs(loop, read_body),
    )


def _outputs(loop: Section, read_body: ReadBody) -> tuple[ir.OutputCandidate, ...]:
    if "collect" in loop:
        return ()
    return read_outputs(loop, "outputs") if "outputs" in loop else ()


def _expression(section: Section, key: str) -> str:
    value = section.optional_expression(key)
    if value is None:
        raise section.fail(key, "an expression")
    return value


LOGIC_LOOP = StepKind(
    name="logic_loop",
    title="Loop",
    description="Repeats what port `body` leads to, for each item of a list or while a condition holds.",
    category=LOGIC,
    config=LogicLoopConfig,
    lower=lower,
    config_of=config_of,
    expressions=("items", "condition", "collect"),
    outputs=(Port(BODY_PORT, "body"), Port("out", "result")),
)
