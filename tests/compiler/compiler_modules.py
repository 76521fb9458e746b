"""Modules built by hand, and drawn at random: every kind of block, whatever a flow would make of it."""

from random import Random
from typing import Any

from hypothesis import strategies as st

from scaiflow_api.compiler import ir

NASTY = (
    *("", "x", "node_a", "a b", "{", "}", '"', "'", "\\", '"""', "//", "/* */", "{{ a }}", "{{", "{{ '}' }}"),
    *("two\nlines", "two\nlines\n", 'a """ b\nc', "  in\n  dented", "end \n", "\t", "\x00", "\x7f", "\u2028"),
    *(
        "\u202e",
        "\ufeff",
        "ä€🙂",
        "\U000e0001",
        "null",
        "true",
        "1",
        "$x",
        "a.b",
        "if",
        "#",
        "a: b",
        "x" * 200,
    ),
)
"""Texts that some format trips over."""
NUMBERS = (0, 1, -1, 31, 32, 127, 128, -33, 255, 256, 65_536, 2**32, 2**53, -(2**53), 0.5, -1e300, 120.0)
SIZES = (0, 1, 1, 2, 2, 3, 3, 4, 18)
"""Of lists and maps; from 16 on they have another head in a bundle."""
EXPRESSIONS = ("a > 1", "__flag", "{a: {b: 1}}.a", "'}'", "items.map(i => i.x)", "x ==", "a\n> 1", "", "{")


def a_module(*body: ir.AnyBlock, **more: Any) -> ir.Module:
    """Return a module of one flow."""
    flow = ir.Flow(name="main", params={"message": "string"}, body=body)
    fields: dict[str, Any] = {
        "name": "under-test",
        "version": "1.0.0",
        "runtime_version": "0.2",
        "mode": "stateless",
        "identity": ir.Identity(provider="scaikey", persona="Helpful Tester"),
        "models": ({"role": "primary", "ref": "scaigrid", "model": "openai/gpt-4o"},),
        "plugins": ({"alias": "drive", "endpoint": "plugin://drive"},),
        "triggers": (ir.Trigger(kind="api", name="entry", target_flow="main", node_id="node_entry"),),
        "flows": (flow,),
        "metadata": ir.Metadata(source_id="flow_a", source_version="1.0.0", scaicore_target="0.2"),
    }
    return ir.Module(**{**fields, **more})


def says(node_id: str | None, template: Any = "x", **more: Any) -> ir.RigidBlock:
    return ir.RigidBlock(node_id=node_id, statements=(ir.ExpressionStatement(expression=template),), **more)


def sets(**values: Any) -> ir.RigidBlock:
    return ir.RigidBlock(
        statements=tuple(ir.AssignStatement(name=name, value=value) for name, value in values.items())
    )


def calls(node_id: str, alias: str = "drive", **args: Any) -> ir.RigidBlock:
    statement = ir.PluginCallStatement(alias=alias, method="search", args=args, binding="found")
    return ir.RigidBlock(node_id=node_id, result_binding="found", statements=(statement,))


def on_flags(*arms: tuple[str, tuple[ir.AnyBlock, ...]], **more: Any) -> ir.MatchBlock:
    """A match of generated flags: (condition, body) each."""
    made = tuple(ir.MatchArm(condition=condition, edge_id=None, body=body) for condition, body in arms)
    return ir.MatchBlock(arms=made, **more)


def every_kind() -> ir.Module:
    """Return a sound module with each kind of block and statement in it, every field set somewhere."""
    asks = {"goal": "Answer {{ message }}.", "llm_role": "primary", "output_type": {"text": "string"}}
    body: tuple[ir.AnyBlock, ...] = (
        sets(__run_a=False),
        says("node_a", "{{ message }}", source_location=ir.SourceLocation("node_a", "edge_1")),
        calls("node_b", path="/a", query="{{ message }}", limit=5),
        ir.GuardedBlock(
            **asks,
            node_id="node_c",
            data_bindings={"d": "node_a", "e": "node_entry"},
            guard="a != null",
            validate="result.text.length > 0",
            input_bindings={"text": "{{ message }}"},
            context_bindings={"who": {"name": "x"}},
            guidance="Be brief.",
            constraints=["Be kind.", "Be true."],
            on_validation_failure="retry(max=2) | escalate",
        ),
        ir.FlexibleBlock(
            **asks,
            node_id="node_d",
            examples=({"input": {"a": 1}, "output": "b"},),
            on_failure="continue",
            budget={"max_duration": "30s", "max_retries": 2},
            identity_ref=True,
        ),
        ir.MatchBlock(
            node_id="node_e",
            subject="message",
            arms=(
                ir.MatchArm(condition="'a'", edge_id="edge_2", body=(sets(__run_a=True),), compares=True),
                ir.MatchArm(condition="c > 1", edge_id="edge_3", body=()),
            ),
            else_body=(says("node_f"),),
            on_error="continue",
        ),
        on_flags(("__run_a", (says("node_g"),))),
        ir.ForeachBlock(
            node_id="node_h",
            items="[1, 2]",
            item_var="n",
            index_var="i",
            max_concurrent=2,
            max_iterations=10,
            body=(says("node_i", "{{ n }}"),),
            outputs=(ir.OutputCandidate(node_id="node_i", successors=("node_j",)),),
        ),
        ir.WhileBlock(node_id="node_j", condition="v < 3", max_iterations=3, collect="v", body=(sets(v=1),)),
        ir.ParallelBlock(
            node_id="node_k",
            branches=(
                ir.Branch(edge_id="edge_4", body=(says("node_l"),)),
                ir.Branch(edge_id=None, body=()),
            ),
            max_concurrent=2,
            fail_fast=False,
            merge_order=("node_l",),
        ),
        ir.CheckpointBlock(source_location=ir.SourceLocation("node_m"), checkpoint_type="debug_breakpoint"),
        ir.CheckpointBlock(
            node_id="node_m",
            checkpoint_type="hitl_review",
            prompt="Well?",
            options=("yes", {"id": "no", "label": "No!"}),
            sections=({"type": "decision", "options": ["maybe"]},),
            assignee="role:boss",
            priority="high",
            timeout="1h",
            on_timeout="resolve:maybe",
            hitl_target=ir.HitlTarget(scope="s", queue="q", hitl_spec={"sections": [], "timeout_s": 3600}),
        ),
        ir.TryBlock(
            source_location=ir.SourceLocation("node_n"),
            body=(
                ir.CoreCallBlock(
                    node_id="node_n",
                    target="core://acme/other",
                    flow_name="main",
                    input_bindings={"x": "{{ message }}"},
                    instance_key="{{ message }}",
                    version="1.0.0",
                    timeout="5m",
                    is_async=True,
                ),
            ),
            catch=(sets(v=None),),
        ),
    )
    outputs = (ir.OutputCandidate(node_id="node_n"), ir.OutputCandidate(node_id="node_a"))
    return a_module(
        entity_key="message",
        mode="entity",
        capabilities=("net", {"bunker": {"image": "x"}}),
        scaiqueue={"scope": "s"},
        variables=({"name": "v", "type": "int", "default": 0, "description": "How often."},),
        types={"Answer": {"text": "string"}},
        triggers=(
            ir.Trigger(kind="api", name="entry", target_flow="main", node_id="node_entry", method="POST"),
            ir.Trigger(
                kind="webhook", name="hook", target_flow="main", node_id="node_hook", path="/", auth={}
            ),
            ir.Trigger(
                kind="schedule",
                name="tick",
                target_flow="main",
                node_id="node_tick",
                cron="0 * * * *",
                timezone="UTC",
            ),
        ),
        flows=(ir.Flow(name="main", params={"message": "string"}, body=body, outputs=outputs),),
        metadata=ir.Metadata(
            source_id="flow_a",
            source_version="1.0.0",
            scaicore_target="0.2",
            publish_as_model=True,
            model_visibility_group_ids=("grp_eng",),
            graph={"nodes": {"node_a": {"type": "llm_rigid", "label": 'Say "hello"'}}, "edges": []},
        ),
    )


def modules() -> st.SearchStrategy[ir.Module]:
    """Draw modules that need not be sound: any text anywhere, blocks of all kinds inside each other."""
    return st.builds(lambda seed: _Drawing(Random(seed)).module(), st.integers(0, 2**32))


class _Drawing:
    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._nodes = 0

    def module(self) -> ir.Module:
        flows = tuple(
            ir.Flow(name=self.text(), params=self.texts(), body=self.body(3), outputs=self.outputs())
            for _ in range(self._rng.randint(1, 2))
        )
        return a_module(
            name=self.text(),
            mode=self.text(),
            entity_key=self.maybe(),
            models=tuple(self.mapping() for _ in range(self._rng.randint(0, 2))),
            plugins=tuple({"alias": self.text(), **self.mapping()} for _ in range(self._rng.randint(0, 2))),
            capabilities=tuple(self.json(2) for _ in range(self._rng.randint(0, 2))),
            variables=tuple(
                {"name": self.text(), "type": self.text(), "default": self.json(2)}
                for _ in range(self._rng.randint(0, 2))
            ),
            types=self.mapping(),
            flows=flows,
            metadata=ir.Metadata(
                source_id=self.maybe(),
                source_version=None,
                scaicore_target=self.maybe(),
                graph=self.json(3),
            ),
        )

    def text(self) -> str:
        return self._rng.choice(NASTY)

    def maybe(self) -> str | None:
        return self.text() if self._rng.random() < 0.5 else None

    def expression(self) -> str:
        return self._rng.choice(EXPRESSIONS)

    def texts(self) -> dict[str, str]:
        return {self.text(): self.text() for _ in range(self._rng.randint(0, 3))}

    def mapping(self) -> dict[str, Any]:
        return {self.text(): self.json(2) for _ in range(self._rng.randint(0, 3))}

    def json(self, depth: int) -> Any:
        shapes = [self.text, lambda: self._rng.choice(NUMBERS), lambda: self._rng.choice([None, True, False])]
        if depth:
            shapes += [
                lambda: [self.json(depth - 1) for _ in range(self._rng.choice(SIZES))],
                lambda: {self.text(): self.json(depth - 1) for _ in range(self._rng.choice(SIZES))},
            ]
        return self._rng.choice(shapes)()

    def outputs(self) -> tuple[ir.OutputCandidate, ...]:
        return tuple(
            ir.OutputCandidate(node_id=self.text(), successors=tuple(self.texts()))
            for _ in range(self._rng.randint(0, 2))
        )

    def body(self, depth: int) -> tuple[ir.AnyBlock, ...]:
        return tuple(self.block(depth) for _ in range(self._rng.randint(0, 3)))

    def block(self, depth: int) -> ir.AnyBlock:
        self._nodes += 1
        shared: dict[str, Any] = {
            "node_id": self._rng.choice([None, f"node_{self._nodes}", f"{self.text()}{self._nodes}"]),
            "result_binding": self.maybe(),
            "source_location": ir.SourceLocation(self.maybe(), self.maybe()),
            "data_bindings": self.texts(),
        }
        kinds = [self.rigid, self.guarded, self.flexible, self.checkpoint, self.core_call]
        if depth:
            kinds += [
                lambda shared: self.match(shared, depth - 1),
                lambda shared: self.loop(shared, depth - 1),
                lambda shared: self.parallel(shared, depth - 1),
                lambda shared: ir.TryBlock(**shared, body=self.body(depth - 1), catch=self.body(depth - 1)),
            ]
        return self._rng.choice(kinds)(shared)

    def rigid(self, shared: dict[str, Any]) -> ir.AnyBlock:
        statements = (
            ir.ExpressionStatement(expression=self.json(2)),
            ir.AssignStatement(name=self.text(), value=self.json(2)),
            ir.PluginCallStatement(
                alias=self.text(), method=self.text(), args=self.mapping(), binding=self.maybe()
            ),
        )
        return ir.RigidBlock(**shared, statements=statements[: self._rng.randint(0, 3)])

    def call(self) -> dict[str, Any]:
        return {
            "goal": self.text(),
            "llm_role": self.text(),
            "output_type": self._rng.choice([None, {}, self.texts()]),
            "input_bindings": self.mapping(),
            "context_bindings": self.mapping(),
            "guidance": self.maybe(),
            "constraints": self.json(1),
        }

    def guarded(self, shared: dict[str, Any]) -> ir.AnyBlock:
        conditions = {"guard": self.expression(), "validate": self.expression()}
        return ir.GuardedBlock(**shared, **self.call(), **conditions, on_validation_failure=self.maybe())

    def flexible(self, shared: dict[str, Any]) -> ir.AnyBlock:
        more = {"examples": (self.json(1),), "budget": self.json(1), "identity_ref": self._rng.random() < 0.5}
        return ir.FlexibleBlock(**shared, **self.call(), **more, on_failure=self.maybe())

    def match(self, shared: dict[str, Any], depth: int) -> ir.AnyBlock:
        arms = tuple(
            ir.MatchArm(
                condition=self.expression(),
                edge_id=self.maybe(),
                body=self.body(depth),
                compares=self._rng.random() < 0.5,
            )
            for _ in range(self._rng.randint(0, 3))
        )
        on_error = self._rng.choice(["fail", "continue"])
        return ir.MatchBlock(
            **shared, subject=self.maybe(), arms=arms, else_body=self.body(depth), on_error=on_error
        )

    def loop(self, shared: dict[str, Any], depth: int) -> ir.AnyBlock:
        more = {
            "max_iterations": self._rng.choice([None, 1, 1000]),
            "collect": self._rng.choice([None, self.expression()]),
            "body": self.body(depth),
            "outputs": self.outputs(),
        }
        if self._rng.random() < 0.5:
            return ir.WhileBlock(**shared, condition=self.expression(), **more)
        names = {"item_var": self.text(), "index_var": self.maybe()}
        return ir.ForeachBlock(
            **shared, items=self.expression(), **names, max_concurrent=self._rng.randint(1, 3), **more
        )

    def parallel(self, shared: dict[str, Any], depth: int) -> ir.AnyBlock:
        branches = tuple(
            ir.Branch(edge_id=self.maybe(), body=self.body(depth)) for _ in range(self._rng.randint(0, 3))
        )
        return ir.ParallelBlock(
            **shared,
            branches=branches,
            max_concurrent=self._rng.choice([None, 2]),
            fail_fast=self._rng.random() < 0.5,
            merge_order=tuple(self.texts()),
        )

    def checkpoint(self, shared: dict[str, Any]) -> ir.AnyBlock:
        target = ir.HitlTarget(scope=self.maybe(), queue=self.text(), hitl_spec=self.mapping())
        return ir.CheckpointBlock(
            **shared,
            checkpoint_type=self.text(),
            prompt=self.maybe(),
            options=tuple(self.json(1) for _ in range(self._rng.randint(0, 2))),
            sections=tuple(self.mapping() for _ in range(self._rng.randint(0, 2))),
            assignee=self.maybe(),
            priority=self.maybe(),
            timeout=self.maybe(),
            on_timeout=self.maybe(),
            hitl_target=self._rng.choice([None, target]),
        )

    def core_call(self, shared: dict[str, Any]) -> ir.AnyBlock:
        return ir.CoreCallBlock(
            **shared,
            target=self.text(),
            flow_name=self.maybe(),
            input_bindings=self.mapping(),
            instance_key=self.maybe(),
            version=self.maybe(),
            timeout=self.text(),
            is_async=self._rng.random() < 0.5,
        )
