"""Settings in files that cannot be read are one sentence, whichever command asks for them."""

from pathlib import Path

import pytest

COMMANDS = [("openapi",), ("token", "alice"), ("migrate",)]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_file_of_settings_that_may_not_be_read_is_named(
    scaiflow, tmp_path, monkeypatch: pytest.MonkeyPatch, command
) -> None:
    file = tmp_path / ".env"
    file.touch()
    opened = open

    def refuse(path, *arguments, **options):
        if Path(path).name == file.name:
            raise PermissionError(13, "Permission denied", path)
        return opened(path, *arguments, **options)

    monkeypatch.setattr("builtins.open", refuse)

    done = scaiflow(*command)

    assert (done.code, done.output) == (1, b"")
    assert done.errors == "scaiflow: the settings in .env cannot be read: Permission denied\n"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_file_of_settings_that_is_no_text_is_one_sentence(scaiflow, tmp_path, command) -> None:
    (tmp_path / ".env").write_bytes(b"SCAIFLOW_API_PORT=8001\n# \xff\n")

    done = scaiflow(*command)

    assert (done.code, done.output) == (1, b"")
    assert done.errors.startswith("scaiflow: a file of settings is not UTF-8; it is one of ")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_file_of_settings_that_is_named_must_be_there(
    scaiflow, tmp_path, monkeypatch: pytest.MonkeyPatch, command
) -> None:
    named = str(tmp_path / "api.env")
    monkeypatch.setenv("SCAIFLOW_ENV_FILE", named)

    done = scaiflow(*command)

    assert (done.code, done.output) == (1, b"")
    assert done.errors == f"scaiflow: the settings in {named} cannot be read: No such file or directory\n"
