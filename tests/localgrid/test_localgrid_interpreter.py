"""What blocks do, in hand-built modules."""

import asyncio
from typing import Any

import pytest
from localgrid_ir import (
    BROKEN,
    Outcome,
    ScriptedModels,
    a_module,
    arm,
    asks,
    decides,
    edges_of,
    guards,
    run,
    says,
    sets,
    tries,
)

from scaiflow_api.compiler import ir
from scaiflow_api.localgrid.runtime.checkpoint import Answer
from scaiflow_api.localgrid.runtime.model_calls import ModelFailed

DOWN = ModelFailed("MODEL_UNAVAILABLE", "down", unavailable=True)
NODE = ir.OutputCandidate(node_id="node_n")


async def code_of(*body: ir.AnyBlock, models: ScriptedModels | None = None, **given: Any) -> str | None:
    outcome = await run(a_module(*body), given, models)
    return outcome.failed.code if outcome.failed else None


# Rigid


async def test_the_last_statement_is_the_result() -> None:
    block = ir.RigidBlock(
        node_id="node_n",
        statements=(
            ir.ExpressionStatement(expression="first"),
            ir.AssignStatement(name="v", value={"sum": "{{ 1 + 1 }}", "text": "is {{ 1 + 1 }}"}),
        ),
    )
    outcome = await run(a_module(block, outputs=[NODE]))

    assert outcome.output == {"sum": 2, "text": "is 2"}


async def test_statements_see_what_the_earlier_ones_assigned() -> None:
    assert (await run(a_module(sets("node_n", v=1, output="{{ v + 1 }}")))).output == 2


async def test_a_step_that_is_no_node_yields_its_value_to_its_binding() -> None:
    by_hand = says(None, "Hello {{ input.name }}", result_binding="greeting")
    output = ir.OutputCandidate(node_id="greeting")

    outcome = await run(a_module(by_hand, sets(None, v="{{ greeting }}!"), outputs=[output]), {"name": "Ada"})
    used = await run(a_module(by_hand, sets(None, output="{{ greeting }}!")), {"name": "Ada"})
    handled = await run(a_module(tries(says(None, BROKEN, result_binding="greeting")), outputs=[output]))

    assert (outcome.output, outcome.trace) == ("Hello Ada", [])
    assert used.output == "Hello Ada!"
    assert (handled.failed, handled.output) == (None, None)


async def test_a_failed_expression_fails_the_run_at_its_node() -> None:
    outcome = await run(a_module(says("node_n", "{{ 1 + 'a' }}"), says("node_after", "x")))

    assert outcome.failed is not None
    assert (outcome.failed.code, outcome.failed.node_id) == ("EVALUATION_ERROR", "node_n")
    assert outcome.trace == ["entered node_n", "failed node_n"]
    assert outcome.events[-1].payload["handled"] is False


async def test_on_error_continue_goes_on_with_null() -> None:
    outcome = await run(
        a_module(
            tries(says("node_n", "{{ 1 + 'a' }}")),
            sets("node_after", output="{{ n ?? 'none' }}"),
        )
    )

    assert outcome.output == "none"
    assert outcome.trace == ["entered node_n", "failed node_n", "entered node_after", "exited node_after"]
    assert outcome.events[1].payload["handled"] is True


async def test_a_template_that_is_no_template_fails_its_node() -> None:
    assert await code_of(says("node_n", "{{ 1 +")) == "EVALUATION_ERROR"


# Output


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ([("node_a", ()), ("node_b", ())], "a"),
        ([("node_never", ()), ("node_b", ())], "b"),
        ([("node_a", ("node_b",)), ("node_b", ())], "b"),
        ([("node_a", ("node_never",)), ("node_b", ())], "a"),
        ([("node_never", ())], None),
        ([], None),
    ],
)
async def test_the_first_candidate_without_a_successor_is_the_output(
    candidates: list[tuple[str, tuple[str, ...]]], expected: str | None
) -> None:
    outputs = [ir.OutputCandidate(node_id=node, successors=after) for node, after in candidates]
    outcome = await run(a_module(says("node_a", "a"), says("node_b", "b"), outputs=outputs))

    assert outcome.output == expected


async def test_the_variable_output_comes_first_even_as_null() -> None:
    body = (says("node_n", "value"), sets("node_set", output="{{ null }}"))

    assert (await run(a_module(*body, outputs=[NODE]))).output is None


async def test_a_node_that_failed_and_went_on_is_an_output_of_null() -> None:
    failing = tries(says("node_n", "{{ 1 + 'a' }}"))
    later = says("node_m", "m")

    assert (
        await run(a_module(failing, later, outputs=[NODE, ir.OutputCandidate(node_id="node_m")]))
    ).output is None


# Match


def choice(*conditions: str, **more: Any) -> ir.Module:
    arms = [
        arm(condition, sets(None, output=index), edge=f"edge_{index}")
        for index, condition in enumerate(conditions)
    ]
    return a_module(decides("node_d", *arms, else_body=(sets(None, output="else"),), **more))


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["a > 1", "a > 0", "true"], 1),
        (["false", "0", "''", "[]", "null", "{}"], "else"),
        (["{{ a == 1 }}"], 0),
        (["'text'"], 0),
        ([], "else"),
    ],
)
async def test_the_first_truthy_arm_runs_and_no_other(conditions: list[str], expected: Any) -> None:
    assert (await run(choice(*conditions), {"a": 1})).output == expected


@pytest.mark.parametrize(
    ("subject", "conditions", "compares", "expected"),
    [
        ("kind", ["'a'", "'b'"], True, 1),
        ("1.0", ["1"], True, 0),
        ("true", ["1"], True, "else"),
        ("null", ["null"], True, 0),
        ("kind", ["kind == 'b'"], False, 0),
        ("kind", ["'x'"], True, "else"),
    ],
)
async def test_arms_that_compare_are_compared_with_the_subject(
    subject: str, conditions: list[str], compares: bool, expected: Any
) -> None:
    arms = [arm(text, sets(None, output=index), compares=compares) for index, text in enumerate(conditions)]
    module = a_module(decides("node_d", *arms, subject=subject, else_body=(sets(None, output="else"),)))

    assert (await run(module, {"kind": "b"})).output == expected


async def test_a_decision_reports_the_edge_it_took() -> None:
    outcome = await run(choice("false", "true"))

    assert outcome.trace == ["entered node_d", "exited node_d"]
    assert outcome.events[1].payload["edge_id"] == "edge_1"
    assert outcome.events[1].payload["block_kind"] == "match"


async def test_a_decision_that_ran_is_a_successor_that_ran() -> None:
    candidate = ir.OutputCandidate(node_id="node_n", successors=("node_d",))
    module = a_module(says("node_n", "value"), decides("node_d", arm("false")), outputs=[candidate])

    assert (await run(module)).output is None


async def test_blocks_without_a_node_emit_nothing() -> None:
    outcome = await run(a_module(sets(None, __f=True), edges_of(None, arm("__f", sets(None, output=1)))))

    assert outcome.output == 1
    assert outcome.events == []


async def test_a_failed_condition_fails_the_node_whose_edge_it_is() -> None:
    outcome = await run(a_module(says("node_n", "x"), edges_of("node_n", arm("n > 1"))))

    assert outcome.failed is not None
    assert (outcome.failed.code, outcome.failed.node_id) == ("EVALUATION_ERROR", "node_n")
    assert outcome.trace[-1] == "failed node_n"


async def test_a_failed_condition_of_a_tolerant_node_nulls_it_and_tries_the_next() -> None:
    match = edges_of(
        "node_n",
        arm("f > 1", sets(None, output="first")),
        arm("f == null && n == null", sets(None, output="second")),
        on_error="continue",
    )
    module = a_module(asks("node_n", output_type={"f": "string"}), match)
    outcome = await run(module, models=ScriptedModels([{"f": "text"}]))

    assert outcome.output == "second"
    assert outcome.events[-1].payload["handled"] is True


async def test_a_failed_subject_matches_no_arm_that_compares() -> None:
    arms = (arm("null", sets(None, output=1), compares=True), arm("true", sets(None, output=2)))
    failing = {"subject": "1 + 'a'"}

    tolerant = await run(a_module(decides("node_d", *arms, **failing, on_error="continue")))
    strict = await run(a_module(decides("node_d", *arms, **failing)))

    assert tolerant.output == 2
    assert tolerant.trace == ["entered node_d", "failed node_d", "exited node_d"]
    assert strict.failed is not None
    assert strict.failed.node_id == "node_d"


async def test_a_subject_is_not_asked_for_before_an_arm_compares() -> None:
    arms = (arm("true", sets(None, output=1)), arm("null", sets(None, output=2), compares=True))

    assert (await run(a_module(decides("node_d", *arms, subject="1 + 'a'")))).output == 1


# Model blocks


async def test_a_model_gets_everything_rendered() -> None:
    models = ScriptedModels([{"answer": "yes"}])
    block = asks(
        "node_n",
        goal="Ask {{ who }}",
        input_bindings={"n": "{{ 1 + 1 }}", "list": ["{{ who }}"]},
        context_bindings={"c": "x{{ n }}"},
        guidance="Be {{ who }}",
        constraints={"never": ["{{ who }}"]},
        examples=({"input": "{{ who }}", "output": "o"},),
        identity_ref=True,
        output_type={"answer": "string"},
    )
    await run(a_module(block), {"who": "Bob"}, models)

    request = models.requests[0]
    assert request.goal == "Ask Bob"
    assert request.inputs == {"n": 2, "list": ["Bob"]}
    assert request.context == {"c": "x"}
    assert (request.guidance, request.persona) == ("Be Bob", "Helpful Tester")
    assert request.constraints == {"never": ["Bob"]}
    assert request.examples == ({"input": "Bob", "output": "o"},)
    assert request.run_input == {"who": "Bob"}


async def test_answers_are_checked_and_cut_to_what_was_declared() -> None:
    block = asks("node_n", output_type={"n": "int", "kind": "enum[a, b]", "note": "string?"})
    outcome = await run(
        a_module(block, outputs=[NODE]), models=ScriptedModels([{"n": "12", "kind": "B", "extra": "secret"}])
    )

    assert outcome.output == {"n": 12, "kind": "b", "note": None}


@pytest.mark.parametrize("answer", ["text", {"n": "many"}, {}, None])
async def test_answers_of_another_type_fail_the_node(answer: Any) -> None:
    models = ScriptedModels([answer])

    assert await code_of(asks("node_n", output_type={"n": "int"}), models=models) == "OUTPUT_INVALID"


async def test_what_a_model_says_is_never_evaluated() -> None:
    models = ScriptedModels([{"f": "{{ input.secret }}"}])
    outcome = await run(
        a_module(asks("node_n", output_type={"f": "string"}), sets("node_m", output="{{ f }}")),
        {"secret": "s3cret"},
        models,
    )

    assert outcome.output == "{{ input.secret }}"


async def test_an_unreadable_type_fails_the_node() -> None:
    assert await code_of(asks("node_n", output_type={"n": "map<"})) == "INVALID_TYPE"


@pytest.mark.parametrize(
    ("guard", "code", "calls"),
    [("n > 1", "GUARD_VIOLATION", 0), ("n > 'a'", "EVALUATION_ERROR", 0), ("n == 1", None, 1)],
)
async def test_a_guard_stands_before_the_call(guard: str, code: str | None, calls: int) -> None:
    models = ScriptedModels()

    assert await code_of(guards("node_n", guard=guard), models=models, n=1) == code
    assert len(models.requests) == calls


@pytest.mark.parametrize(
    ("validate", "code"),
    [
        ("result.n > 1", None),
        ("output.n > 1", None),
        ("n > 1", "VALIDATION_FAILED"),
        ("result.n > 5", "VALIDATION_FAILED"),
        ("result.missing > 5", "VALIDATION_FAILED"),
    ],
)
async def test_a_validation_judges_the_result(validate: str, code: str | None) -> None:
    block = guards("node_n", output_type={"n": "int"}, validate=validate)

    assert await code_of(block, models=ScriptedModels([{"n": 3}]), n=0) == code


BY_A_PERSON = Answer("resolved", {"n": 42})
POLICIES = [
    # policy, answers, calls, outcome
    (None, [0], 1, "VALIDATION_FAILED"),
    ("retry(max=2)", [0, 0, 5], 3, 5),
    ("retry(max = 2)", [0, 0, 0, 5], 3, "VALIDATION_FAILED"),
    ("retry", [0, 5], 2, 5),
    ("retry(max=1) | retry(max=1)", [0, 0, 5], 3, 5),
    ("continue", [0], 1, None),
    ("retry(max=1) | continue", [0, 0, 5], 2, None),
    ("retry(max=1)|escalate", [0, 0], 2, 42),
    ("escalate | continue", [0], 1, 42),
    ("give up", [5], 0, "INVALID_POLICY"),
    ("retry(max=-1)", [5], 0, "INVALID_POLICY"),
]


def result_of(outcome: Outcome) -> Any:
    if outcome.failed:
        return outcome.failed.code
    return outcome.output and outcome.output["n"]


@pytest.mark.parametrize(("policy", "answers", "calls", "expected"), POLICIES)
async def test_policies_of_guarded_blocks(
    policy: str | None, answers: list[int], calls: int, expected: Any
) -> None:
    models = ScriptedModels([{"n": n} for n in answers])
    block = guards("node_n", output_type={"n": "int"}, validate="result.n > 1", on_validation_failure=policy)
    outcome = await run(a_module(block, outputs=[NODE]), models=models, answer=BY_A_PERSON)

    assert result_of(outcome) == expected
    assert len(models.requests) == calls
    assert [request.attempt for request in models.requests] == list(range(calls))


@pytest.mark.parametrize(("policy", "answers", "calls", "expected"), POLICIES)
async def test_policies_of_flexible_blocks(
    policy: str | None, answers: list[int], calls: int, expected: Any
) -> None:
    models = ScriptedModels([{"n": n} if n else DOWN for n in answers])
    block = asks("node_n", output_type={"n": "int"}, on_failure=policy)
    outcome = await run(a_module(block, outputs=[NODE]), models=models, answer=BY_A_PERSON)

    assert result_of(outcome) == ("MODEL_UNAVAILABLE" if expected == "VALIDATION_FAILED" else expected)
    assert len(models.requests) == calls


async def test_a_policy_for_invalid_results_is_none_for_models_that_are_down() -> None:
    block = guards("node_n", validate="true", on_validation_failure="continue")

    assert await code_of(block, models=ScriptedModels([DOWN])) == "MODEL_UNAVAILABLE"


async def test_a_guard_is_not_asked_again_but_may_be_passed_over() -> None:
    models = ScriptedModels()
    block = guards("node_n", guard="false", on_validation_failure="retry(max=3) | continue")
    outcome = await run(a_module(block, sets(None, output="on")), models=models)

    assert outcome.output == "on"
    assert models.requests == []


async def test_faults_of_the_flow_are_not_covered_by_on_failure() -> None:
    block = asks("node_n", goal="{{ 1 + 'a' }}", on_failure="retry(max=2) | continue")

    assert await code_of(block) == "EVALUATION_ERROR"


async def test_a_budget_bounds_retries_and_time() -> None:
    models = ScriptedModels([DOWN])
    bounded = asks("node_n", on_failure="retry(max=9)", budget={"max_retries": 1})

    class Slow(ScriptedModels):
        async def complete(self, choice: Any, request: Any) -> Any:
            await asyncio.sleep(60)

    assert await code_of(bounded, models=models) == "MODEL_UNAVAILABLE"
    assert len(models.requests) == 2
    assert await code_of(asks("node_n", budget={"max_duration": "0s"}), models=Slow()) == "BUDGET_EXCEEDED"
    assert await code_of(asks("node_n", budget={"max_duration": "soon"})) == "INVALID_POLICY"


async def test_an_escalation_shows_what_is_wanted() -> None:
    block = asks("node_n", output_type={"n": "int", "why": "string?"}, on_failure="escalate")
    outcome = await run(a_module(block), models=ScriptedModels([DOWN]), answer=BY_A_PERSON)

    (question,) = outcome.questions
    assert (question.checkpoint_type, question.node_id, question.priority) == ("escalation", "node_n", "high")
    assert question.prompt == "MODEL_UNAVAILABLE: down"
    assert [(s["field"], s["kind"]) for s in question.sections] == [("n", "int"), ("why", "string?")]


@pytest.mark.parametrize(
    ("fields", "resolution", "expected"),
    [
        (None, {"decision": "a text"}, "a text"),
        (None, {"text": "a text"}, "a text"),
        ({"n": "int"}, {"decision": "a text"}, "OUTPUT_INVALID"),
    ],
)
async def test_what_a_person_says_must_fit_as_well(fields: Any, resolution: Any, expected: Any) -> None:
    block = asks("node_n", output_type=fields, on_failure="escalate")
    outcome = await run(
        a_module(block, outputs=[NODE]), models=ScriptedModels([DOWN]), answer=Answer("resolved", resolution)
    )

    assert (outcome.failed.code if outcome.failed else outcome.output) == expected


async def test_on_error_covers_what_the_policy_does_not() -> None:
    block = tries(asks("node_n", on_failure="escalate"))
    outcome = await run(
        a_module(block, sets(None, output="{{ n }}")),
        models=ScriptedModels([DOWN]),
        answer=Answer("cancelled"),
    )

    assert outcome.failed is None
    assert outcome.output is None


# Bounds and events


async def test_a_run_executes_a_bounded_number_of_blocks() -> None:
    body = [sets(None, v=1)] * 11

    assert (await run(a_module(*body), max_blocks=11)).failed is None
    failed = (await run(a_module(*body), max_blocks=10)).failed
    assert failed is not None
    assert failed.code == "TOO_MANY_BLOCKS"


async def test_events_carry_the_result_up_to_four_kilobytes() -> None:
    small, large = "x" * 4094, "x" * 4095
    outcome = await run(a_module(says("node_a", small, result_binding="mine"), says("node_b", large)))

    exited = [event.payload for event in outcome.events if event.type.endswith("exited")]
    assert exited[0]["result_binding"] == "mine"
    assert exited[0]["result_binding_value"] == small
    assert "result_binding_truncated" not in exited[0]
    assert exited[1]["result_binding"] == "node_b"
    assert exited[1]["result_binding_truncated"] is True
    assert "result_binding_value" not in exited[1]
    assert outcome.events[0].payload == {
        "node_id": "node_a",
        "block_kind": "rigid",
        "source_location": {"node_id": "node_a", "edge_id": None},
    }
