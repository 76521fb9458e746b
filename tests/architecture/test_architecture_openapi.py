"""The OpenAPI document tells a newcomer what to send and what comes back."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from scaiflow_api.app import create_app
from scaiflow_api.compiler import validate_flow
from scaiflow_api.domains.preview.schemas import EXAMPLE_FLOW
from scaiflow_api.settings import Settings
from scaiflow_api.web.routes import SOCKET, rules
from scaiflow_api.web.schemas import ApiModel


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(Settings())


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def test_every_operation_has_a_short_name_of_its_own(document: dict[str, Any]) -> None:
    """Generated clients call their functions by it."""
    found = [operation["operationId"] for _, operation in operations(document)]

    assert {"create_flow", "deploy_flow", "list_events"} <= set(found)
    assert len(set(found)) == len(found)


def test_it_says_who_may_call_each_operation(app: FastAPI, document: dict[str, Any]) -> None:
    told = dict(operations(document))
    for rule in rules(app):
        operation = told.get(f"{rule.method.lower()} {rule.path}")
        if operation is None or rule.public or rule.method == SOCKET:
            continue
        last = operation["description"].rpartition("\n")[2]
        for needed in (rule.permission, rule.role, rule.acl):
            assert needed is None or f"`{needed}`" in last, (rule, last)
        assert operation["security"] == [{"HTTPBearer": []}], rule
    assert told["put /api/v1/flows/{flow_id}"]["description"].endswith(
        "\n\nNeeds the permission `scaicore:manage` and `edit` access to the flow."
    )
    assert told["post /api/v1/dev/deploy"]["security"] == [{"SharedToken": []}]


def test_contents_are_described_by_the_words_of_its_version(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    for name, operation in operations(document):
        for answer in operation["responses"].values():
            for media_type, media in answer.get("content", {}).items():
                assert media.keys() <= {"schema", "example", "examples"}, (name, media_type)


def test_every_answer_but_a_file_has_a_schema(document: dict[str, Any]) -> None:
    """Clients would read a file by the schema of the first of its types, whichever was asked for."""
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            if "Content-Disposition" not in answer["description"]:
                for media_type, media in answer.get("content", {}).items():
                    assert media.get("schema"), (name, status, media_type)


def test_headers_that_clients_go_on_with_are_described(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        answers = operation["responses"]
        for status in ("200", "201"):
            content = answers.get(status, {}).get("content", {}).get("application/json", {})
            model = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            if model in ("FlowDetail", "ImportedFlow") or (status == "200" and "304" in answers):
                assert "ETag" in answers[status]["headers"], name
        if "304" in answers:
            assert "ETag" in answers["304"]["headers"], name
    paths = document["paths"]
    for listed in ("/api/v1/catalog", "/api/v1/flows/{flow_id}/deployments"):
        assert "Link" in paths[listed]["get"]["responses"]["200"]["headers"]


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
