"""Dockerfile and docker-compose.yml: what can be checked without a container engine."""

import json
import re
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
OUR_PREFIXES = ("SCAIFLOW_", "SCAIKEY_", "SCAIGRID_", "SCAIVAULT_")
INSTRUCTIONS = frozenset({"FROM", "RUN", "ENV", "WORKDIR", "COPY", "USER", "EXPOSE", "HEALTHCHECK", "CMD"})
LOOPBACK = "http://127.0.0.1:"
ONE_SHOT = {"migrate", "bucket"}


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile with its arguments on one line."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    split = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(name, rest) for name, rest in split]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    start = max(index for index, (name, _) in enumerate(found) if name == "FROM")
    return found[start:]


def only(stage: list[tuple[str, str]], name: str) -> str:
    (value,) = [rest for found, rest in stage if found == name]
    return value


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert isinstance(document, dict)
    return document


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return dict(compose["services"])


def our_variables(text: str) -> set[str]:
    return set(re.findall(rf"\b(?:{'|'.join(OUR_PREFIXES)})[A-Z0-9_]+", text))


class TestDockerfile:
    def test_it_has_only_instructions_we_use_and_two_stages_on_one_base(self) -> None:
        names = [name for name, _ in instructions()]
        assert names[0] == "FROM"
        assert set(names) <= INSTRUCTIONS
        assert [rest for name, rest in instructions() if name == "FROM"] == [
            "python:3.11-slim AS build",
            "python:3.11-slim",
        ]

    def test_the_image_does_not_run_as_root(self) -> None:
        names = [name for name, _ in last_stage()]
        user, _, group = only(last_stage(), "USER").partition(":")
        assert int(user) > 0
        assert int(group) > 0
        assert "RUN" not in names[names.index("USER") :]
        assert f"--uid {user}" in only(last_stage(), "RUN")

    def test_dependencies_are_installed_by_hash_and_the_package_without_any(self) -> None:
        installs = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]
        assert installs == [
            "pip install --require-hashes -r requirements.txt",
            "pip install --no-build-isolation --no-deps .",
        ]

    def test_no_host_is_named_but_the_container_itself(self) -> None:
        text = (ROOT / "Dockerfile").read_text()
        assert re.findall(r"\w+://[^'\"\s]*", text) == [LOOPBACK]
        assert "index" not in text

    def test_it_serves_and_asks_itself_whether_it_lives(self) -> None:
        assert json.loads(only(last_stage(), "CMD")) == ["scaiflow", "serve"]
        options, _, check = only(last_stage(), "HEALTHCHECK").partition("CMD ")
        assert "--timeout=" in options
        program, flag, code = json.loads(check)
        assert (program, flag) == ("python", "-c")
        compile(code, "healthcheck", "exec")
        assert "/healthz" in code

    def test_what_it_copies_is_there_and_not_ignored(self) -> None:
        kept = {
            line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
        }
        copied = {
            source
            for name, rest in instructions()
            if name == "COPY" and "--from=" not in rest
            for source in rest.split()[:-1]
        }
        assert copied == kept
        assert all((ROOT / source).exists() for source in copied)

    def test_the_command_it_runs_is_installed_by_the_package(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert "scaiflow" in project["scripts"]
        assert (ROOT / project["readme"]).exists()


class TestCompose:
    def test_it_has_the_servers_of_a_deployment(self, services: dict[str, Any]) -> None:
        assert set(services) == {"api", "migrate", "postgres", "s3", "bucket", "redis"}
        assert services["postgres"]["image"] == "postgres:16"
        assert services["redis"]["image"] == "redis:7"
        assert services["migrate"]["command"] == ["scaiflow", "migrate"]

    def test_images_of_others_are_pinned_and_come_from_no_named_host(self, services: dict[str, Any]) -> None:
        for name, service in services.items():
            if "build" not in service:
                assert re.fullmatch(r"([a-z]+/)?[a-z]+:[0-9.]+", service["image"]), name

    def test_every_server_says_when_it_is_healthy_and_every_job_ends(self, services: dict[str, Any]) -> None:
        for name, service in services.items():
            if name in ONE_SHOT:
                assert service["restart"] == "no"
                assert service.get("healthcheck", {"disable": True}) == {"disable": True}
            else:
                assert service["healthcheck"]["test"][0] == "CMD"
                assert service["restart"] == "unless-stopped"

    def test_each_service_waits_for_what_it_needs(self, services: dict[str, Any]) -> None:
        waits = {name: set(service.get("depends_on", ())) for name, service in services.items()}
        assert waits["api"] == {"migrate", "bucket", "redis"}
        assert waits["migrate"] == {"postgres"}
        assert waits["bucket"] == {"s3"}
        for service in services.values():
            for needed, how in service.get("depends_on", {}).items():
                ends = "service_completed_successfully" if needed in ONE_SHOT else "service_healthy"
                assert how == {"condition": ends}

    def test_data_lies_in_named_volumes_and_the_api_has_none(
        self, compose: dict[str, Any], services: dict[str, Any]
    ) -> None:
        mounts = {
            name: [mount.split(":")[0] for mount in s.get("volumes", [])] for name, s in services.items()
        }
        assert sorted(chain.from_iterable(mounts.values())) == sorted(compose["volumes"])
        assert mounts["api"] == mounts["migrate"] == []
        assert services["api"]["read_only"] is True

    def test_only_the_api_is_reachable_and_only_from_this_machine(self, services: dict[str, Any]) -> None:
        assert {name: service["ports"] for name, service in services.items() if "ports" in service} == {
            "api": ["127.0.0.1:8001:8001"]
        }

    def test_nothing_of_the_host_is_written_into_it(self) -> None:
        text = (ROOT / "docker-compose.yml").read_text()
        assert re.findall(r"(?<!\$)\$\{?\w+", text) == []
        assert "env_file" not in text
        assert not re.search(r"^\s+- [./~]", text, re.MULTILINE), "no folder of the host is mounted"

    def test_api_and_migration_read_the_same_settings(self, services: dict[str, Any]) -> None:
        assert services["api"]["environment"] == services["migrate"]["environment"]
        assert all(name.startswith(OUR_PREFIXES) for name in services["api"]["environment"])

    def test_what_sign_in_takes_can_be_set_from_outside(self, services: dict[str, Any]) -> None:
        registered = our_variables((ROOT / "scaiflow_api/cli/scaikey.py").read_text())
        from_outside = {name for name, value in services["api"]["environment"].items() if value is None}
        assert "SCAIFLOW_SCAIKEY_CLIENT_SECRET" in registered
        assert registered | {"SCAIFLOW_BOOTSTRAP_ADMINS", "SCAIGRID_BASE_URL"} <= from_outside

    def test_the_stores_credentials_and_bucket_agree(self, services: dict[str, Any]) -> None:
        api, s3 = services["api"]["environment"], services["s3"]["environment"]
        assert api["SCAIFLOW_S3_ACCESS_KEY"] == s3["AWS_ACCESS_KEY_ID"]
        assert api["SCAIFLOW_S3_SECRET_KEY"] == s3["AWS_SECRET_ACCESS_KEY"]
        bucket = re.match(r"s3://([a-z]+)\?endpoint=http://s3:8333&", api["SCAIFLOW_STORE_URL"])
        assert bucket
        assert f"s3.bucket.create -name {bucket[1]} " in services["bucket"]["command"][0]
        postgres = services["postgres"]["environment"]
        assert api["SCAIFLOW_DB_URL"] == "postgresql+asyncpg://{}:{}@postgres:5432/{}".format(
            postgres["POSTGRES_USER"], postgres["POSTGRES_PASSWORD"], postgres["POSTGRES_DB"]
        )


@pytest.mark.parametrize("file", ["Dockerfile", "docker-compose.yml"])
def test_every_setting_it_names_is_documented(file: str) -> None:
    used = our_variables((ROOT / file).read_text())
    assert used
    example = ROOT / ".env.example"
    if example.exists():
        assert used <= our_variables(example.read_text())
