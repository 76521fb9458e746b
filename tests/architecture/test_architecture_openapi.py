"""The OpenAPI document tells a newcomer what to send and what comes back."""

from collections.abc import Iterator
from typing import Any

import pytest

from scaiflow_api.app import create_app
from scaiflow_api.compiler import validate_flow
from scaiflow_api.domains.preview.schemas import EXAMPLE_FLOW
from scaiflow_api.settings import Settings
from scaiflow_api.web.schemas import ApiModel


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings()).openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def test_every_operation_query_and_body_is_described(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert operation["description"], name
        for parameter in operation.get("parameters", []):
            assert parameter["in"] == "path" or parameter.get("description"), (name, parameter["name"])
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("description"), name


def test_every_answer_says_what_comes(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            assert answer["description"] not in ("", "Successful Response"), (name, status)
    paths = document["paths"]
    assert paths["/api/v1/flows"]["get"]["responses"]["200"]["description"] == (
        "Visible flows in the order that was asked for."
    )
    assert paths["/api/v1/flows/{flow_id}/deploy"]["post"]["responses"]["200"]["description"] == (
        "What is running now. Or: What a deploy would do. Nothing was changed."
    )


def test_whatever_takes_a_body_says_how_one_is_refused(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        if "requestBody" in operation:
            answers = operation["responses"]
            assert "`unsupported_media_type`" in answers["415"]["description"], name
            assert answers["413"]["description"].count("`body_too_large`") == 1, name


def test_whatever_takes_something_from_its_address_says_how_that_is_refused(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        places = {parameter["in"] for parameter in operation.get("parameters", [])}
        if not places.isdisjoint({"path", "query"}):
            assert "`malformed_request`" in operation["responses"]["400"]["description"], name


def test_what_a_request_meets_on_its_way_stands_beside_what_its_route_answers(
    document: dict[str, Any],
) -> None:
    paths = document["paths"]
    saving = paths["/api/v1/flows/{flow_id}"]["put"]["responses"]

    told = {status: saving[status]["description"] for status in ("403", "422", "502", "503", "504")}
    assert told == {
        "403": "`insufficient_acl`, `permission_denied`",
        "422": "`invalid_flow`, `invalid_request`",
        "502": "`scaigrid_auth`, `scaigrid_api`",
        "503": "`save_contention`, `store_unavailable`, `version_content_missing`, `scaikey_unavailable`, "
        "`scaikey_not_configured`, `database_unavailable`, `scaigrid_not_configured`",
        "504": "`scaigrid_timeout`",
    }
    assert "422" not in paths["/healthz"]["get"]["responses"]


def test_an_error_is_json_wherever_it_comes_from(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert list(answer["content"]) == ["application/json"], (name, status)


def test_the_sentences_below_attributes_stand_in_it(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    assert schemas["DeployRequest"]["properties"]["dry_run"]["description"].startswith("Change nothing;")
    assert schemas["DeletedFlow"]["properties"]["deleted_at"].get("description") is None
    assert schemas["FlowDifference"]["properties"]["behaviour"]["description"] == "What can change a run."


def bodies(base: type[ApiModel]) -> Iterator[type[ApiModel]]:
    for model in base.__subclasses__():
        yield model
        yield from bodies(model)


@pytest.mark.parametrize("model", list(bodies(ApiModel)), ids=lambda model: model.__name__)
def test_every_body_has_an_example_that_is_accepted(model: type[ApiModel]) -> None:
    assert model.model_json_schema()["examples"] == [model.example]
    assert model.model_validate(model.example)


def test_the_flow_of_the_examples_has_nothing_to_find() -> None:
    assert validate_flow(EXAMPLE_FLOW) == []
