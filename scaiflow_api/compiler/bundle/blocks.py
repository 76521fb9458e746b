"""Blocks ↔ plain maps: what all blocks share, and those that contain others.

A block begins with what all blocks have: kind, node_id, result_binding, source_location, data_bindings.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypedDict

from scaiflow_api.compiler import ir
from scaiflow_api.compiler.bundle import leaves
from scaiflow_api.compiler.bundle.leaves import Plain
from scaiflow_api.compiler.kinds.base import Common
from scaiflow_api.compiler.manifest.section import Section


def write_body(body: Iterable[ir.AnyBlock]) -> list[Plain]:
    return [
        {
            "kind": block.kind,
            "node_id": block.node_id,
            "result_binding": block.result_binding,
            "source_location": {
                "node_id": block.source_location.node_id,
                "edge_id": block.source_location.edge_id,
            },
            "data_bindings": block.data_bindings,
            **_BLOCK_WRITERS[block.kind](block),
        }
        for block in body
    ]


def read_body(section: Section, key: str) -> tuple[ir.AnyBlock, ...]:
    """Read a list of blocks. Raises ManifestError."""
    return tuple(_read_block(block) for block in section.sections(key))


def _read_block(block: Section) -> ir.AnyBlock:
    read = _BLOCK_READERS.get(block.text("kind"))
    if read is None:
        raise block.fail("kind", "one of " + ", ".join(_BLOCK_READERS))
    common = Common(
        node_id=block.optional_text("node_id"),
        result_binding=block.optional_text("result_binding"),
        source_location=_read_location(block),
        data_bindings=block.texts("data_bindings"),
    )
    return read(block, common)


def _read_location(block: Section) -> ir.SourceLocation:
    if "source_location" not in block:
        return ir.SourceLocation()
    source = block.section("source_location")
    return ir.SourceLocation(source.optional_text("node_id"), source.optional_text("edge_id"))


def write_outputs(outputs: Iterable[ir.OutputCandidate]) -> list[Plain]:
    return [{"node_id": item.node_id, "successors": item.successors} for item in outputs]


def read_outputs(section: Section, key: str) -> tuple[ir.OutputCandidate, ...]:
    return tuple(
        ir.OutputCandidate(node_id=item.text("node_id"), successors=item.text_items("successors"))
        for item in section.sections(key)
    )


def _write_match(block: ir.MatchBlock) -> Plain:
    return {
        "subject": block.subject,
        "arms": [
            {
                "condition": arm.condition,
                "edge_id": arm.edge_id,
                "body": write_body(arm.body),
                "compares": arm.compares,
            }
            for arm in block.arms
        ],
        "else_body": write_body(block.else_body),
        "on_error": block.on_error,
    }


def _read_match(block: Section, common: Common) -> ir.MatchBlock:
    arms = tuple(
        ir.MatchArm(
            condition=arm.text("condition"),
            edge_id=arm.optional_text("edge_id"),
            body=read_body(arm, "body"),
            compares=arm.flag("compares"),
        )
        for arm in block.sections("arms")
    )
    return ir.MatchBlock(
        **common,
        subject=block.optional_text("subject"),
        arms=arms,
        else_body=read_body(block, "else_body"),
        on_error=block.choice("on_error", ("fail", "continue")),
    )


def _write_foreach(block: ir.ForeachBlock) -> Plain:
    return {
        "items": block.items,
        "item_var": block.item_var,
        "index_var": block.index_var,
        "max_concurrent": block.max_concurrent,
        **_write_loop(block),
    }


def _read_foreach(block: Section, common: Common) -> ir.ForeachBlock:
    return ir.ForeachBlock(
        **common,
        items=block.text("items"),
        item_var=block.text("item_var"),
        index_var=block.optional_text("index_var"),
        max_concurrent=block.count("max_concurrent") or 1,
        **_read_loop(block),
    )


def _write_while(block: ir.WhileBlock) -> Plain:
    return {"condition": block.condition, **_write_loop(block)}


def _read_while(block: Section, common: Common) -> ir.WhileBlock:
    return ir.WhileBlock(**common, condition=block.text("condition"), **_read_loop(block))


class _Loop(TypedDict):
    """The fields of `ir.LoopBlock` beyond those of every block."""

    max_iterations: int | None
    collect: str | None
    body: tuple[ir.AnyBlock, ...]
    outputs: tuple[ir.OutputCandidate, ...]


def _write_loop(block: ir.LoopBlock) -> Plain:
    return {
        "max_iterations": block.max_iterations,
        "collect": block.collect,
        "body": write_body(block.body),
        "outputs": write_outputs(block.outputs),
    }


def _read_loop(block: Section) -> _Loop:
    return _Loop(
        max_iterations=block.count("max_iterations"),
        collect=block.optional_text("collect"),
        body=read_body(block, "body"),
        outputs=read_outputs(block, "outputs"),
    )


def _write_parallel(block: ir.ParallelBlock) -> Plain:
    return {
        "branches": [
            {"edge_id": branch.edge_id, "body": write_body(branch.body)} for branch in block.branches
        ],
        "max_concurrent": block.max_concurrent,
        "fail_fast": block.fail_fast,
        "merge_order": block.merge_order,
    }


def _read_parallel(block: Section, common: Common) -> ir.ParallelBlock:
    branches = tuple(
        ir.Branch(edge_id=branch.optional_text("edge_id"), body=read_body(branch, "body"))
        for branch in block.sections("branches")
    )
    return ir.ParallelBlock(
        **common,
        branches=branches,
        max_concurrent=block.count("max_concurrent"),
        fail_fast=block.flag("fail_fast", default=True),
        merge_order=block.text_items("merge_order"),
    )


def _write_try(block: ir.TryBlock) -> Plain:
    return {"body": write_body(block.body), "catch": write_body(block.catch)}


def _read_try(block: Section, common: Common) -> ir.TryBlock:
    return ir.TryBlock(**common, body=read_body(block, "body"), catch=read_body(block, "catch"))


_BLOCK_WRITERS: Mapping[str, Callable[[Any], Plain]] = {
    ir.RigidBlock.kind: leaves.write_rigid,
    ir.GuardedBlock.kind: leaves.write_guarded,
    ir.FlexibleBlock.kind: leaves.write_flexible,
    ir.MatchBlock.kind: _write_match,
    ir.ForeachBlock.kind: _write_foreach,
    ir.WhileBlock.kind: _write_while,
    ir.ParallelBlock.kind: _write_parallel,
    ir.CheckpointBlock.kind: leaves.write_checkpoint,
    ir.CoreCallBlock.kind: leaves.write_core_call,
    ir.TryBlock.kind: _write_try,
}
_BLOCK_READERS: Mapping[str, Callable[[Section, Common], ir.AnyBlock]] = {
    ir.RigidBlock.kind: leaves.read_rigid,
    ir.GuardedBlock.kind: leaves.read_guarded,
    ir.FlexibleBlock.kind: leaves.read_flexible,
    ir.MatchBlock.kind: _read_match,
    ir.ForeachBlock.kind: _read_foreach,
    ir.WhileBlock.kind: _read_while,
    ir.ParallelBlock.kind: _read_parallel,
    ir.CheckpointBlock.kind: leaves.read_checkpoint,
    ir.CoreCallBlock.kind: leaves.read_core_call,
    ir.TryBlock.kind: _read_try,
}
