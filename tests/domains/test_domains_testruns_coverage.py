"""Which nodes and edges count as run through."""

from typing import Any

import pytest

from scaiflow_api.domains.testruns.coverage import FlowMap
from scaiflow_api.domains.testruns.trail import COMPLETED, FAILED, STARTED, Trail
from scaiflow_api.flowgraph import FlowGraph

ENTERED, EXITED = "scaicore.runtime.block.entered", "scaicore.runtime.block.exited"


def flow(nodes: str, *edges: str) -> FlowMap:
    """Draw a flow: entries begin with `in`; `a>b` is an edge `a_b`, `a?b` one with a condition, `a~b` one of data."""
    drawn = []
    for text in edges:
        kind = "conditional" if "?" in text else "data" if "~" in text else "sequential"
        source, target = text.replace("?", ">").replace("~", ">").split(">")
        drawn.append(
            {
                "id": f"{source}_{target}",
                "type": kind,
                "source": {"node": source, "port": "out"},
                "target": {"node": target, "port": "in"},
                **({"condition": "x"} if kind == "conditional" else {}),
            }
        )
    placed = [
        {
            "id": name,
            "type": "entry_api" if name.startswith("in") else "llm_rigid",
            "label": name,
            "position": {"x": 0, "y": 0},
            "config": {},
        }
        for name in nodes.split()
    ]
    return FlowMap(
        FlowGraph.model_validate(
            {"id": "flow_1", "name": "F", "version": "1.0.0", "nodes": placed, "edges": drawn}
        )
    )


def trail(nodes: str = "", arms: str = "", fell: str = "") -> Trail:
    return Trail(set(nodes.split()), set(arms.split()), set(fell.split()))


def covered(of: FlowMap, ran: Trail, entry: str | None = None) -> tuple[list[str], list[str], float]:
    found = of.coverage([of.seen(entry, ran)])
    return found.nodes, found.edges_taken, found.node_pct


def test_only_edges_between_which_runs_choose_are_told() -> None:
    of = flow("in a b c", "in>a", "a?b", "a>c")
    assert covered(of, trail("a b", arms="a_b")) == (["in", "a", "b"], ["a_b"], 75.0)
    assert covered(of, trail("a c", fell="a")) == (["in", "a", "c"], ["a_c"], 75.0)


def test_an_edge_without_events_counts_where_nothing_else_leads_to_its_target() -> None:
    of = flow("in a b c", "in?a", "in>b", "a?c", "b?c")
    assert covered(of, trail("a c"))[1] == ["in_a", "a_c"]
    assert covered(of, trail("b c"))[1] == ["in_b", "b_c"]
    assert covered(of, trail("a b c"))[1] == ["in_a", "in_b"]


def test_data_edges_lead_nowhere() -> None:
    of = flow("in a b", "in>a", "a?b", "in~b")
    assert covered(of, trail("a b"))[1] == ["a_b"]


def test_the_entry_is_the_first_unless_the_fixture_names_one() -> None:
    of = flow("in1 in2 a", "in1>a", "in2>a")
    assert covered(of, trail("a"))[0] == ["in1", "a"]
    assert covered(of, trail("a"), "in2")[0] == ["in2", "a"]


def test_what_is_no_part_of_the_flow_any_more_does_not_count() -> None:
    assert covered(flow("in a", "in>a"), trail("a gone", arms="e_gone")) == (["in", "a"], [], 100.0)


def test_several_runs_count_together() -> None:
    of = flow("in a b c", "in>a", "a?b", "a?c")
    seen = [of.seen(None, trail("a b", arms="a_b")), of.seen(None, trail("a c", arms="a_c"))]
    together = of.coverage(seen)
    assert (together.node_pct, together.edges_taken) == (100.0, ["a_b", "a_c"])


def test_without_a_run_nothing_is_covered() -> None:
    assert flow("in a", "in>a").coverage([]).node_pct == 0.0
    assert flow("").coverage([]).model_dump() == {"nodes": [], "edges_taken": [], "node_pct": 0.0}


@pytest.mark.parametrize(
    ("kind", "payload", "expected"),
    [
        (ENTERED, {"node_id": "a"}, trail("a")),
        (ENTERED, {"node_id": None, "source_location": {"node_id": "a"}}, trail("a")),
        (ENTERED, {"node_id": 7, "source_location": "x"}, trail()),
        (EXITED, {"node_id": "a", "edge_id": "e"}, trail(arms="e")),
        (EXITED, {"node_id": "a", "edge_id": None}, trail(fell="a")),
        (EXITED, {"node_id": "a", "edge_id": 7}, trail()),
        (EXITED, {"node_id": "a"}, trail()),
        (STARTED, {"input": {}}, trail()),
        ("custom.event", {"node_id": "a"}, trail()),
    ],
)
def test_what_an_event_tells(kind: str, payload: dict[str, Any], expected: Trail) -> None:
    found = Trail()
    found.take(kind, payload)
    found.take(kind, payload)
    assert found == expected


def test_how_a_run_ended() -> None:
    done, failed = Trail(), Trail()
    done.take(COMPLETED, {"output": {"n": 1}})
    failed.take(FAILED, {"error": {"message": "no"}})
    assert done.end is not None
    assert (done.end.completed, done.end.output) == (True, {"n": 1})
    assert failed.end is not None
    assert (failed.end.completed, failed.end.error) == (False, {"message": "no"})
