"""`logic_parallel`: runs the ways that leave it at the same time, up to where they join. Its step is `parallel`."""

from typing import Annotated

from pydantic import Field

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.kinds.base import JSON, LOGIC, Common, NodeConfig, StepKind, Surroundings
from scaiflow_api.compiler.kinds.steps import ReadBody, Step, WriteBody, without_defaults
from scaiflow_api.compiler.manifest.section import Section

STEP_KEY = "parallel"


class LogicParallelConfig(NodeConfig):
    """How many branches run at once, and what happens when one fails."""

    max_concurrent: Annotated[int, Field(ge=1)] | None = None
    """Without it, all."""
    fail_fast: bool = True
    """Cancel the other branches as soon as one fails; else fail after their end."""


def lower(config: LogicParallelConfig, around: Surroundings) -> ir.ParallelBlock:
    """Return the block without its branches: those are the node's edges, which lowering adds."""
    return ir.ParallelBlock(
        **around.common, branches=(), max_concurrent=config.max_concurrent, fail_fast=config.fail_fast
    )


def config_of(block: ir.ParallelBlock) -> dict[str, JSON]:
    return {
        **without_defaults({"max_concurrent": block.max_concurrent}),
        **({} if block.fail_fast else {"fail_fast": False}),
    }


def write_step(block: ir.ParallelBlock, write_body: WriteBody) -> Step:
    branches = [
        {**without_defaults({"edge": branch.edge_id}), "steps": write_body(branch.body)}
        for branch in block.branches
    ]
    return {
        STEP_KEY: {
            "branches": branches,
            **config_of(block),
            **without_defaults({"merge_order": block.merge_order}),
        }
    }


def read_step(step: Section, common: Common, read_body: ReadBody) -> ir.ParallelBlock:
    parallel = step.section(STEP_KEY)
    branches = tuple(
        ir.Branch(edge_id=branch.optional_text("edge"), body=read_body(branch, "steps"))
        for branch in parallel.sections("branches")
    )
    return ir.ParallelBlock(
        **common,
        branches=branches,
        max_concurrent=parallel.count("max_concurrent"),
        fail_fast=parallel.flag("fail_fast", default=True),
        merge_order=_merge_order(parallel, branches),
    )


def _merge_order(parallel: Section, branches: tuple[ir.Branch, ...]) -> tuple[str, ...]:
    """Return the order that is given; what a manifest without it means is that of the branches."""
    if "merge_order" in parallel:
        return parallel.text_items("merge_order")
    return tuple(node_id for branch in branches for node_id in ir.frame_nodes(branch.body))


LOGIC_PARALLEL = StepKind(
    name="logic_parallel",
    title="Parallel",
    description="Runs the ways that leave it at the same time, up to where they join.",
    category=LOGIC,
    config=LogicParallelConfig,
    lower=lower,
    config_of=config_of,
    yields=False,
)
