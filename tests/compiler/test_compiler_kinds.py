"""The kinds that call something or wait for somebody: configuration → block → step → block → configuration."""

from random import Random
from typing import Any

import orjson
import pytest
from compiler_documents import a_flow, a_node, an_entry
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import ValidationError

from scaiflow_api.compiler import ManifestError, compile_flow, import_manifest, ir
from scaiflow_api.compiler.importing.foreign import take_foreign_steps
from scaiflow_api.compiler.kinds import KINDS, StepKind, pause, plugin_call, subflow_call
from scaiflow_api.compiler.kinds.base import Common, FallibleConfig, Surroundings
from scaiflow_api.compiler.manifest.section import Section
from scaiflow_api.compiler.manifest.text import load_manifest_text
from scaiflow_api.compiler.manifest.yaml_text import write_yaml
from scaiflow_api.flowgraph.schema import Documented

JSON = dict[str, Any]
COMMON = Common(
    node_id="node_a",
    result_binding="answer",
    source_location=ir.SourceLocation(node_id="node_a"),
    data_bindings={"d": "node_b"},
)
ALONE = Surroundings(COMMON)
AROUND = Surroundings(
    COMMON,
    queue_scope="support",
    bunker={"lifecycle": "ephemeral", "image": "python-3.12", "memory_mb": 256},
    sandbox="node_box",
)
UNNAMED = replace(AROUND, sandbox="2nd-box")

# Configurations at random

TEXTS = st.text(
    alphabet=st.characters(exclude_characters="\0{", exclude_categories=("Cs",)), min_size=1, max_size=8
)
WORDS = st.sampled_from(["a", "yes", "no", "1", "{{ x }}", "a: b", "- c", "é\nü"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.5, -2.25]) | WORDS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
MAPS = st.dictionaries(TEXTS, VALUES, max_size=3)
STRINGS = st.dictionaries(TEXTS.filter(lambda name: "=" not in name), WORDS, max_size=3)
DURATIONS = st.sampled_from(["0s", "30s", "5m", "1h", "2d", "1w"])
COUNTS = st.integers(1, 100)
PRIORITIES = st.sampled_from(["low", "normal", "high", "critical"])
ASSIGNEES = st.sampled_from(["user:a@b.example", "group:grp_ops", "role:editor", "{{ owner }}"])
OPTIONS = st.lists(
    WORDS | st.builds(lambda name: {"id": name, "label": "L"}, WORDS),
    min_size=1,
    unique_by=lambda item: item["id"] if isinstance(item, dict) else item,
)
PAUSE = {
    "timeout": DURATIONS,
    "on_timeout": st.sampled_from(["fail", "escalate", "continue", "resolve:{{ best }}"]),
    "assignee": ASSIGNEES,
    "priority": PRIORITIES,
}
CHECKPOINT = {"type": st.sampled_from(["approval", "choice"]), "prompt": st.just("") | WORDS, **PAUSE}
CONTEXT = st.fixed_dictionaries({"type": st.just("context")}, optional={"title": WORDS, "content": WORDS})
INPUT = st.fixed_dictionaries(
    {"type": st.just("input"), "field": TEXTS}, optional={"kind": WORDS, "required": st.booleans()}
)
DECISION = st.fixed_dictionaries(
    {"type": st.just("decision"), "options": OPTIONS}, optional={"field": TEXTS, "more": VALUES}
)
SECTIONS = st.lists(
    CONTEXT | INPUT | DECISION, max_size=4, unique_by=lambda item: item.get("field", item["type"])
)
BUNKER = {"bunker": st.sampled_from(["{{ box }}", "bnk_1"])}
AUTH = st.fixed_dictionaries(
    {"type": st.sampled_from(["bearer", "basic", "header"]), "secret": WORDS, "name": st.just("X-Token")}
)
QUEUE = {"queue": WORDS}
TARGETS = st.sampled_from(["core://acme/lookup", "core://acme/flow_Ab1"])

CONFIGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "tool_plugin": ({"plugin": WORDS, "method": WORDS}, {"args": MAPS}),
    "tool_http": (
        {"url": st.sampled_from(["https://a.example/{{ id }}", "{{ base }}/x"])},
        {
            "method": st.sampled_from(["GET", "POST"]),
            "headers": st.dictionaries(st.sampled_from(["X-A", "Accept"]), WORDS),
            "query": st.dictionaries(TEXTS, WORDS | st.lists(COUNTS), max_size=2),
            "body": VALUES,
            "timeout": DURATIONS,
            "expect_status": st.sampled_from(["2xx", 200, "200, 404", "200,3xx"]),
            "auth": AUTH,
        },
    ),
    "checkpoint": ({}, {"options": OPTIONS | st.just([]), **CHECKPOINT}),
    "hitl_decision": ({"options": OPTIONS}, CHECKPOINT),
    "hitl_review": (QUEUE, {"scope": WORDS, "sections": SECTIONS, **PAUSE}),
    "queue_publish": (
        {**QUEUE, "message_type": WORDS, "payload": VALUES},
        {
            "scope": WORDS,
            "priority": PRIORITIES | st.just("background"),
            "labels": STRINGS,
            "correlation_id": WORDS,
            "idempotency_key": WORDS,
            "ttl_seconds": COUNTS,
        },
    ),
    "queue_consume": (
        QUEUE,
        {"scope": WORDS, "batch_size": COUNTS, "wait": DURATIONS, "ack": st.sampled_from(["auto", "manual"])},
    ),
    "queue_escalation": (
        {**QUEUE, "reason": WORDS},
        {
            "scope": WORDS,
            "payload": VALUES,
            "message_type": WORDS,
            "priority": PRIORITIES,
            "assignee": ASSIGNEES,
        },
    ),
    "compute_provision": (
        {},
        {
            "image": WORDS,
            "lifecycle": st.sampled_from(["ephemeral", "session", "persistent", "appliance"]),
            "cpu_millicores": COUNTS,
            "memory_mb": COUNTS,
            "disk_mb": COUNTS,
            "gpu_count": st.integers(0, 2),
            "network_profile": st.sampled_from(["isolated", "transit"]),
            "env_vars": STRINGS,
        },
    ),
    "compute_exec": (
        {"command": WORDS | st.lists(WORDS, min_size=1) | st.just(["sh", "-c", "{{ x }}"])},
        {
            "timeout_s": COUNTS,
            "workdir": WORDS,
            "env": STRINGS,
            "parse": st.sampled_from(["auto", "json", "text"]),
            **BUNKER,
        },
    ),
    "compute_file_upload": ({"path": WORDS, "content": st.just("") | WORDS}, BUNKER),
    "compute_file_download": ({"path": WORDS}, {"encoding": st.sampled_from(["utf-8", "base64"]), **BUNKER}),
    "compute_destroy": ({}, BUNKER),
    "subflow_call": (
        {"target": TARGETS},
        {
            "flow_name": WORDS,
            "input_bindings": MAPS,
            "instance_key": WORDS,
            "version": WORDS,
            "timeout": DURATIONS,
            "is_async": st.booleans(),
        },
    ),
}
ANY = st.one_of(
    st.tuples(st.just(name), st.fixed_dictionaries(needed, optional=optional))
    for name, (needed, optional) in CONFIGS.items()
)
SLOW = [HealthCheck.too_slow]


def kind_of(name: str) -> StepKind:
    kind = KINDS[name]
    assert isinstance(kind, StepKind)
    return kind


def lowered(name: str, config: JSON, around: Surroundings = AROUND) -> Any:
    kind = kind_of(name)
    return kind.lower(kind.config.model_validate(config), around)


def args_of(name: str, config: JSON, around: Surroundings = AROUND) -> Any:
    return plugin_call.call_of(lowered(name, config, around)).args


def step_of(block: Any) -> JSON:
    match block:
        case ir.CheckpointBlock():
            return pause.write_step(block)
        case ir.CoreCallBlock():
            return subflow_call.write_step(block)
        case _:
            return plugin_call.write_step(plugin_call.call_of(block))


def read(text: str, common: Common = COMMON) -> Any:
    step = Section(load_manifest_text(text), "step")
    for form in (plugin_call, pause, subflow_call):
        if form.STEP_KEY in step:
            return form.read_step(step, common)
    raise AssertionError(text)


@settings(deadline=None, max_examples=250, suppress_health_check=SLOW)
@given(ANY, st.sampled_from([ALONE, AROUND, UNNAMED]))
def test_a_block_becomes_a_configuration_that_lowers_to_it(
    drawn: tuple[str, JSON], around: Surroundings
) -> None:
    name, config = drawn
    block = lowered(name, config, around)

    again = kind_of(name).config_of(block)

    assert lowered(name, again, around) == block


@settings(deadline=None, max_examples=250, suppress_health_check=SLOW)
@given(ANY, st.sampled_from([ALONE, AROUND, UNNAMED]))
def test_a_step_that_was_written_is_read_as_the_same_block(
    drawn: tuple[str, JSON], around: Surroundings
) -> None:
    block = lowered(*drawn, around)

    text = write_yaml(step_of(block))

    common = Common(**{**COMMON, "data_bindings": block.data_bindings})
    assert read(text, common) == block


@settings(deadline=None, max_examples=100, suppress_health_check=SLOW)
@given(ANY)
def test_an_import_knows_every_key_of_a_step_that_was_written(drawn: tuple[str, JSON]) -> None:
    step = {**step_of(lowered(*drawn)), "meta": {"node_id": "node_a"}}

    found = take_foreign_steps([{"steps": [step]}], 10)

    assert (found.steps, found.keys) == ([], [])


def test_an_import_knows_how_long_a_plugin_may_take() -> None:
    config = {"plugin": "scaidrive", "method": "search", "args": {"path": "/", "query": "x"}, "timeout": "5s"}
    document = a_flow([an_entry(), a_node("a", "tool_plugin", config=config)], ("entry", "a"))

    imported = import_manifest(compile_flow(document).text)

    assert imported.diagnostics == ()
    assert imported.document["nodes"][1]["config"] == config


@settings(deadline=None, max_examples=100, suppress_health_check=SLOW)
@given(ANY, st.integers(0, 2**32))
def test_the_order_of_keys_changes_no_byte_of_the_step(drawn: tuple[str, JSON], seed: int) -> None:
    name, config = drawn
    keys = list(config)
    Random(seed).shuffle(keys)

    first, second = (step_of(lowered(name, given)) for given in (config, {key: config[key] for key in keys}))

    assert write_yaml(first) == write_yaml(second)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_key_of_a_kind_is_described(name: str) -> None:
    properties = kind_of(name).config.model_json_schema(schema_generator=Documented)["properties"]

    assert [key for key, schema in properties.items() if not schema.get("description")] == []
    assert set(properties) - set(FallibleConfig.model_fields) == set().union(*CONFIGS[name]) | {
        key for key in ("timeout", "content_base64") if key in kind_of(name).config.model_fields
    }


@pytest.mark.parametrize("name", CONFIGS)
def test_templates_are_looked_for_in_fields_that_exist(name: str) -> None:
    kind = kind_of(name)

    assert set(kind.templates) <= set(kind.config.model_fields)


# What becomes of a configuration


@pytest.mark.parametrize(
    ("name", "config", "method", "expected"),
    [
        (
            "tool_http",
            {"url": "https://a.example"},
            "http.request",
            {"method": "GET", "url": "https://a.example", "timeout": "30s", "expect_status": "2xx"},
        ),
        (
            "tool_plugin",
            {"plugin": "scaidrive", "method": "search", "args": {"path": "/"}},
            "scaidrive.search",
            {"path": "/"},
        ),
        (
            "queue_publish",
            {"queue": "q", "message_type": "m", "payload": {}},
            "scaiqueue.publish",
            {"scope": "support", "queue": "q", "message_type": "m", "payload": {}},
        ),
        (
            "queue_consume",
            {"queue": "q", "scope": "mine"},
            "scaiqueue.consume",
            {"scope": "mine", "queue": "q", "batch_size": 1, "wait": "0s", "ack": "auto"},
        ),
        (
            "queue_escalation",
            {"queue": "q", "reason": "r"},
            "scaiqueue.escalate",
            {
                "scope": "support",
                "queue": "q",
                "reason": "r",
                "message_type": "escalation",
                "priority": "high",
            },
        ),
        (
            "compute_provision",
            {"memory_mb": 512},
            "scaibunker.create",
            {"image": "python-3.12", "lifecycle": "ephemeral", "memory_mb": 512},
        ),
        (
            "compute_exec",
            {"command": "ls | wc -l"},
            "scaibunker.exec",
            {
                "command": ["sh", "-c", "ls | wc -l"],
                "timeout_s": 30,
                "bunker": "{{ node_box }}",
                "parse": "auto",
            },
        ),
        (
            "compute_file_upload",
            {"path": "/x", "content": ""},
            "scaibunker.write_file",
            {"path": "/x", "content": "", "bunker": "{{ node_box }}"},
        ),
        (
            "compute_file_download",
            {"path": "/x", "bunker": "{{ other }}"},
            "scaibunker.read_file",
            {"path": "/x", "encoding": "utf-8", "bunker": "{{ other }}"},
        ),
        ("compute_destroy", {}, "scaibunker.destroy", {"bunker": "{{ node_box }}"}),
    ],
)
def test_a_call_carries_the_resolved_configuration(
    name: str, config: JSON, method: str, expected: JSON
) -> None:
    call = plugin_call.call_of(lowered(name, config))

    assert f"{call.alias}.{call.method}" == method
    assert list(call.args.items()) == list(expected.items())
    assert call.binding == "answer"


def test_what_no_surroundings_fill_in_stays_absent() -> None:
    assert args_of("compute_destroy", {}, ALONE) == {}
    assert "scope" not in args_of("queue_consume", {"queue": "q"}, ALONE)


@pytest.mark.parametrize("node_id", ["2nd-box", "in", "true", "input", "output", "a-b"])
def test_a_sandbox_that_no_expression_can_name_is_reached_by_a_data_value(node_id: str) -> None:
    block = lowered("compute_destroy", {}, replace(AROUND, sandbox=node_id))

    assert plugin_call.call_of(block).args == {"bunker": "{{ __sandbox }}"}
    assert block.data_bindings == {"d": "node_b", "__sandbox": node_id}
    assert kind_of("compute_destroy").config_of(block) == {}


def test_a_named_sandbox_needs_no_data_value() -> None:
    block = lowered("compute_destroy", {"bunker": "{{ box }}"}, UNNAMED)

    assert block.data_bindings == {"d": "node_b"}


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("tool_plugin", {"plugin": "p", "method": "m"}),
        ("tool_http", {"url": "https://a.example"}),
        ("checkpoint", {}),
        ("hitl_decision", {"options": ["a"]}),
        ("queue_consume", {"queue": "q", "scope": "s"}),
        ("compute_exec", {"command": "date", "bunker": "{{ b }}"}),
        ("compute_exec", {"command": ["date", "-u"], "bunker": "{{ b }}"}),
        ("compute_file_download", {"path": "/x", "bunker": "{{ b }}"}),
        ("subflow_call", {"target": "core://acme/x"}),
    ],
)
def test_keys_at_their_defaults_are_left_out_of_the_configuration(name: str, config: JSON) -> None:
    assert kind_of(name).config_of(lowered(name, config)) == config


def test_a_list_for_the_shell_stays_a_list_where_a_text_could_hold_no_template() -> None:
    config = {"command": ["sh", "-c", "echo {{ x }}"], "bunker": "{{ b }}"}

    assert kind_of("compute_exec").config_of(lowered("compute_exec", config)) == config


def test_unknown_keys_reach_no_call() -> None:
    assert "retries" not in args_of("tool_http", {"url": "https://a.example", "retries": 3})


def test_a_review_is_a_checkpoint_with_its_form_and_its_queue() -> None:
    sections = [
        {"type": "context", "content": "{{ draft }}", "title": None},
        {"type": "decision", "options": ["ok", "no"]},
    ]
    block = lowered("hitl_review", {"queue": "review", "sections": sections, "timeout": "2h"})
    plain = [{"type": "context", "content": "{{ draft }}"}, {"type": "decision", "options": ["ok", "no"]}]

    assert block == ir.CheckpointBlock(
        **COMMON,
        checkpoint_type="hitl_review",
        sections=tuple(plain),
        priority="normal",
        timeout="2h",
        on_timeout="fail",
        hitl_target=ir.HitlTarget(
            scope="support", queue="review", hitl_spec={"sections": plain, "timeout_s": 7200}
        ),
    )


def test_a_decision_is_an_approval_without_a_queue() -> None:
    block = lowered("hitl_decision", {"options": ["a", "b"]})

    assert (block.checkpoint_type, block.options, block.hitl_target) == ("approval", ("a", "b"), None)


# What a configuration must be


@pytest.mark.parametrize(
    ("name", "config", "place", "complaint"),
    [
        ("tool_plugin", {"plugin": "", "method": "m"}, ("plugin",), "at least 1 character"),
        ("tool_plugin", {"plugin": "p", "method": "m", "timeout": "soon"}, ("timeout",), "not a duration"),
        ("tool_http", {"url": ""}, ("url",), "http:// or https://"),
        ("tool_http", {"url": "file:///etc/passwd"}, ("url",), "http:// or https://"),
        ("tool_http", {"url": "https://"}, ("url",), "no host"),
        ("tool_http", {"url": "https:///tickets"}, ("url",), "no host"),
        ("tool_http", {"url": "https://tickets acme/"}, ("url",), "no host"),
        ("tool_http", {"url": "https://a.example:port/"}, ("url",), "no host"),
        ("tool_http", {"url": "https://[::1/"}, ("url",), "no host"),
        ("tool_http", {"url": "https://a.example", "method": "get"}, ("method",), "'GET'"),
        ("tool_http", {"url": "https://a.example", "headers": {"a b": "x"}}, ("headers",), "header"),
        ("tool_http", {"url": "https://a.example", "headers": {"a": 1}}, ("headers", "a"), "valid string"),
        ("tool_http", {"url": "https://a.example", "query": {"a": {}}}, ("query",), "or lists of them"),
        ("tool_http", {"url": "https://a.example", "expect_status": "ok"}, ("expect_status",), "2xx"),
        ("tool_http", {"url": "https://a.example", "expect_status": True}, ("expect_status",), "2xx"),
        ("tool_http", {"url": "https://a.example", "expect_status": 600}, ("expect_status",), "2xx"),
        (
            "tool_http",
            {"url": "https://a.example", "auth": {"type": "header", "secret": "a/b"}},
            ("auth", "name"),
            "required",
        ),
        (
            "tool_http",
            {"url": "https://a.example", "auth": {"type": "digest", "secret": "a/b"}},
            ("auth", "type"),
            "'bearer'",
        ),
        ("data_variable_set", {"variable": "x"}, ("value",), "required"),
        ("data_variable_set", {"value": 1}, (), "either variable and value"),
        ("checkpoint", {"type": "debug_breakpoint"}, ("type",), "flag breakpoint"),
        ("checkpoint", {"type": "Anything goes"}, ("type",), "approval"),
        ("checkpoint", {"on_timeout": "resolve:"}, ("on_timeout",), "resolve:<option>"),
        ("checkpoint", {"on_timeout": "explode"}, ("on_timeout",), "resolve:<option>"),
        (
            "checkpoint",
            {"options": ["a", "b"], "on_timeout": "resolve:c"},
            ("on_timeout",),
            "none of the options",
        ),
        ("checkpoint", {"options": ["a", {"id": "a"}]}, ("options",), "twice"),
        ("checkpoint", {"options": [1]}, ("options",), "an option is a text"),
        ("checkpoint", {"options": [{"label": "A"}]}, ("options",), "an option is a text"),
        ("checkpoint", {"assignee": "alice"}, ("assignee",), "user:<email or id>"),
        ("checkpoint", {"assignee": "user:"}, ("assignee",), "user:<email or id>"),
        ("checkpoint", {"priority": "urgent"}, ("priority",), "'critical'"),
        ("checkpoint", {"timeout": "1 hour"}, ("timeout",), "not a duration"),
        ("hitl_decision", {}, ("options",), "required"),
        ("hitl_decision", {"options": []}, ("options",), "at least one option"),
        ("hitl_review", {"sections": []}, ("queue",), "required"),
        (
            "hitl_review",
            {"queue": "q", "sections": [{"type": "input"}]},
            ("sections", 0, "field"),
            "required",
        ),
        (
            "hitl_review",
            {"queue": "q", "sections": [{"type": "decision"}]},
            ("sections", 0, "options"),
            "required",
        ),
        (
            "hitl_review",
            {"queue": "q", "sections": [{"type": "decision", "options": []}]},
            ("sections", 0, "options"),
            "at least one option",
        ),
        ("hitl_review", {"queue": "q", "sections": [{"type": "form"}]}, ("sections", 0, "type"), "'context'"),
        (
            "hitl_review",
            {"queue": "q", "sections": [{"type": "input", "field": "a"}, {"type": "input", "field": "a"}]},
            ("sections", 1, "field"),
            "sections[0] has the field 'a' already",
        ),
        (
            "hitl_review",
            {
                "queue": "q",
                "sections": [{"type": "decision", "options": ["ok"]}],
                "on_timeout": "resolve:no",
            },
            ("on_timeout",),
            "'no' is none of the options",
        ),
        ("queue_publish", {"queue": "q", "message_type": "m"}, ("payload",), "required"),
        (
            "queue_publish",
            {"queue": "q", "message_type": "m", "payload": 1, "ttl_seconds": 0},
            ("ttl_seconds",),
            "greater than or equal to 1",
        ),
        ("queue_consume", {"queue": "q", "batch_size": 0}, ("batch_size",), "greater than or equal to 1"),
        ("queue_consume", {"queue": "q", "batch_size": True}, ("batch_size",), "valid integer"),
        ("queue_consume", {"queue": "q", "ack": "never"}, ("ack",), "'auto'"),
        ("queue_escalation", {"queue": "q"}, ("reason",), "required"),
        ("compute_provision", {"lifecycle": "forever"}, ("lifecycle",), "'ephemeral'"),
        ("compute_provision", {"memory_mb": 0.5}, ("memory_mb",), "valid integer"),
        ("compute_provision", {"network_profile": "all"}, ("network_profile",), "'isolated'"),
        ("compute_exec", {"command": []}, ("command",), "must not be empty"),
        ("compute_exec", {"command": ""}, ("command",), "must not be empty"),
        ("compute_exec", {"command": ["ls", 1]}, ("command",), "list of texts"),
        ("compute_exec", {"command": ["ls"], "env": {"A=B": "c"}}, ("env",), "environment variable"),
        ("compute_exec", {"command": ["ls"], "timeout_s": 0}, ("timeout_s",), "greater than or equal to 1"),
        ("compute_file_upload", {"path": "/x"}, (), "either content or content_base64"),
        (
            "compute_file_upload",
            {"path": "/x", "content": "a", "content_base64": "AA=="},
            (),
            "either content or content_base64",
        ),
        ("compute_file_upload", {"path": "/x", "content_base64": "é"}, ("content_base64",), "not base64"),
        ("compute_file_download", {"path": "/x", "encoding": "latin-1"}, ("encoding",), "'utf-8'"),
        ("subflow_call", {"target": "core://acme"}, ("target",), "core://<tenant>"),
        ("subflow_call", {"target": "core://acme/x/y"}, ("target",), "core://<tenant>"),
        ("subflow_call", {"target": "core://{{ tenant }}/x"}, ("target",), "core://<tenant>"),
        ("subflow_call", {"target": "core://acme/x", "is_async": "no"}, ("is_async",), "valid boolean"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_where_it_stands(
    name: str, config: JSON, place: tuple[str | int, ...], complaint: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        kind_of(name).config.model_validate(config)

    (detail,) = refused.value.errors()
    assert detail["loc"] == place
    assert complaint in detail["msg"]


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("tool_http", {"url": "HTTPS://a.example"}),
        ("tool_http", {"url": "https://a.example", "query": {"limit": 50, "tag": ["a", "{{ b }}"]}}),
        ("checkpoint", {"on_timeout": "resolve:anything"}),
        ("checkpoint", {"options": ["{{ best }}"], "on_timeout": "resolve:yes"}),
        ("hitl_review", {"queue": "q"}),
        (
            "hitl_review",
            {"queue": "q", "sections": [{"type": "input", "field": "a"}], "on_timeout": "resolve:a"},
        ),
        ("queue_publish", {"queue": "q", "message_type": "m", "payload": None}),
        ("compute_file_upload", {"path": "/x", "content_base64": "{{ bytes }}"}),
        ("subflow_call", {"target": "core://acme/flow_AB12", "input_bindings": {"a": [1, "{{ b }}"]}}),
    ],
)
def test_what_can_be_carried_out_is_taken(name: str, config: JSON) -> None:
    assert lowered(name, config) is not None


# Steps written by hand


def test_a_checkpoint_of_few_words_is_one() -> None:
    assert read(
        "checkpoint:\n  type: hitl_review\n  scope: support\n  queue: review\n"
    ) == ir.CheckpointBlock(
        **COMMON,
        checkpoint_type="hitl_review",
        hitl_target=ir.HitlTarget(scope="support", queue="review", hitl_spec={"sections": []}),
    )


def test_a_breakpoint_is_read_as_it_was_written() -> None:
    common = Common(
        node_id=None,
        result_binding=None,
        source_location=ir.SourceLocation(node_id="node_a"),
        data_bindings={},
    )
    block = ir.CheckpointBlock(**common, checkpoint_type="debug_breakpoint")

    assert pause.write_step(block) == {"checkpoint": {"type": "debug_breakpoint"}}
    assert read(write_yaml(pause.write_step(block)), common) == block


def test_what_a_hand_written_checkpoint_leaves_open_is_left_out_of_the_configuration() -> None:
    block = read("checkpoint:\n  type: hitl_review\n  queue: review\n")

    assert kind_of("hitl_review").config_of(block) == {"queue": "review"}
    assert kind_of("checkpoint").config_of(read("checkpoint:\n  prompt: Well?\n")) == {"prompt": "Well?"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("plugin_call:\n  alias: a\n", "step.plugin_call.method is missing."),
        ("plugin_call:\n  method: m\n", "step.plugin_call.alias is missing."),
        ("plugin_call: [a]\n", "step.plugin_call must be a mapping."),
        ("plugin_call:\n  alias: a\n  method: m\n  args: [1]\n", "step.plugin_call.args must be a mapping."),
        ("checkpoint:\n  timeout: soon\n", "step.checkpoint.timeout must be a duration such as 30s."),
        (
            "checkpoint:\n  on_timeout: explode\n",
            "step.checkpoint.on_timeout must be fail, escalate, continue or resolve:<option>.",
        ),
        ("checkpoint:\n  sections: [a]\n", "step.checkpoint.sections must be a list of mappings."),
        ("core_call:\n  flow_name: x\n", "step.core_call.target is missing."),
        (
            "core_call:\n  target: http://x\n",
            "step.core_call.target must be core://<tenant>/<slug of the Core>.",
        ),
        (
            "core_call:\n  target: core://a/b\n  timeout: 3\n",
            "step.core_call.timeout must be text.",
        ),
        (
            "core_call:\n  target: core://a/b\n  is_async: maybe\n",
            "step.core_call.is_async must be true or false.",
        ),
    ],
)
def test_a_step_that_cannot_be_read_says_why(text: str, complaint: str) -> None:
    with pytest.raises(ManifestError) as refused:
        read(text)

    assert refused.value.message == complaint


def test_the_schema_of_every_kind_is_plain_json() -> None:
    for kind in KINDS.values():
        assert orjson.loads(orjson.dumps(kind.config.model_json_schema())) == kind.config.model_json_schema()
