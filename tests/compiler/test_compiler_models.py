"""The models and plugins that a flow declares."""

from typing import Any

import pytest
from compiler_documents import JSON, a_text, an_entry
from compiler_findings import a_model, codes, found
from compiler_ways import a_flow_of_ways


def with_models(*models: JSON, **config: Any) -> JSON:
    entries = [{"ref": "scaigrid", "model": "m", **model} for model in models]
    nodes = [an_entry(), a_model("a", **config)]
    return a_flow_of_ways(nodes, "entry>a", config={"core_identity": {"models": entries}})


SCHEMA_X = {"output_schema": {"x": "int"}}


@pytest.mark.parametrize(
    ("models", "config", "expected"),
    [
        ([{"role": "one"}, {"role": "two"}], {}, ["SF520"]),
        ([{"role": "one"}, {"role": "two"}], {"llm_role": "two"}, []),
        ([{"role": "one"}, {"role": "two"}], {"model": "two"}, []),
        ([{"role": "one"}, {"role": "two"}], {"llm_role": "twoo"}, ["SF501"]),
        ([{"role": "one", "modalities": ["text"]}], SCHEMA_X, ["SF521"]),
        ([{"role": "one", "modalities": ["text", "structured_output"]}], SCHEMA_X, []),
        ([{"role": "one"}], SCHEMA_X, []),
        ([{"role": "one", "modalities": ["text"]}], {}, []),
        (
            [{"role": "one", "modalities": ["tts"], "temperature": 0.1, "system_context": "x"}],
            {},
            ["SF522", "SF522"],
        ),
        ([{"role": "one", "modalities": ["vision"], "temperature": 0.1}], {}, []),
        ([{"role": "one", "ref": "scigrid"}], {}, ["SF523"]),
        ([{"role": "one", "ref": "opnai", "fallback": [{"ref": "opena", "model": "m"}]}], {}, ["SF523"] * 2),
        ([{"role": "one", "ref": "partner"}], {}, []),
    ],
)
def test_faults_of_declared_models_are_found(models: list[JSON], config: JSON, expected: list[str]) -> None:
    assert codes(with_models(*models, **config)) == expected


@pytest.mark.parametrize(
    ("plugins", "paths"),
    [
        (["crm", {"alias": "erp"}], []),
        (["crm", {"alias": "crm"}, "crm"], ["config.plugins[1]", "config.plugins[2]"]),
    ],
)
def test_a_plugin_is_declared_once(plugins: list[Any], paths: list[str]) -> None:
    document = a_flow_of_ways([an_entry(), a_text("a")], "entry>a")
    document["config"] = {"plugins": plugins}

    assert [path for path, *_ in found(document, "SF517")] == paths
