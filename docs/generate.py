"""Writes what is documented from the code itself; with `--check` it only says what is out of date.

python docs/generate.py [--check]
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from command_line import command_line_page
from kind_tables import kinds_page
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from scaiflow_api.app import create_app
from scaiflow_api.compiler.diagnostics_page import diagnostics_page
from scaiflow_api.flowgraph.schema import schema_text
from scaiflow_api.kit.errors import AppError
from scaiflow_api.settings import Settings
from scaiflow_api.web.routes import RouteRule, rules

ROOT = Path(__file__).parents[1]
NOTICE = "<!-- Written by `make docs` from the code. Do not edit. -->\n\n"


def pages() -> dict[Path, str]:
    """Return every generated file and its text."""
    return {
        ROOT / "docs/errors.md": errors_page(),
        ROOT / "docs/permissions.md": permissions_page(),
        ROOT / "docs/configuration.md": configuration_page(),
        ROOT / "docs/command-line.md": NOTICE + command_line_page(),
        ROOT / "docs/diagnostics.md": diagnostics_page(),
        ROOT / "docs/flows/kinds.md": kinds_page(),
        ROOT / ".env.example": env_example(),
        ROOT / "scaiflow_api/flowgraph/v2.json": schema_text().decode(),
    }


ERRORS = """# Errors

Every error of the API has the body `{"detail": {error, message, fix?, …, trace_id}}`. Branch on `error`: it never
changes its meaning. `message` and `fix` are sentences for people. The names in braces are sent as members of `detail`
too. `trace_id` finds the request in the log. Only where ScaiKey refuses a sign-in (`scaikey_refused`) `error` and
`error_description` are ScaiKey's own words, for example `invalid_grant`.

| status | `error` | `message` | `fix` |
|---|---|---|---|
"""

PERMISSIONS = """# Who may call what

A route needs a token unless it is public, then a permission of ScaiCore (held through ScaiGrid, or implied by the
roles `tenant_admin` and `super_admin`), then a level on the flow that its path names: `view` < `edit` < `deploy` <
`admin`. The owner, the tenant's admins and super admins hold `admin`. A flow that one may not view answers 404. Where
a role is named, it or a higher one is needed.

| method | path | permission | role | level on the flow |
|---|---|---|---|---|
"""

CONFIGURATION = """# Configuration

Settings come from `/etc/scaiflow/api.env`, `./.env`, `apps/api/.env`, the file named by `SCAIFLOW_ENV_FILE` and the
process environment; the later wins. A file that is named so must be there, the others need not. An empty variable
counts as unset. `.env.example` lists them all.
"""


def errors_page() -> str:
    known = sorted(AppError.registry.values(), key=lambda error: (error.status, error.error))
    return NOTICE + ERRORS + rows((str(e.status), f"`{e.error}`", e.template, e.fix or "") for e in known)


def permissions_page() -> str:
    return (
        NOTICE
        + PERMISSIONS
        + rows(
            (rule.method, f"`{rule.path}`", permission_of(rule), word(rule.role), word(rule.acl))
            for rule in rules(create_app(Settings()))
        )
    )


def permission_of(rule: RouteRule) -> str:
    if rule.public:
        return "public"
    return f"`{rule.permission}`" if rule.permission else "any signed-in caller"


def word(text: str | None) -> str:
    return f"`{text}`" if text else ""


def settings() -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Yield each section's sentence and its variables: name, default, description."""
    for section in Settings.model_fields.values():
        model = section.annotation
        assert model is not None
        variables = []
        for field in model.model_fields.values():
            default = field.default
            if isinstance(default, SecretStr):
                default = default.get_secret_value()
            if isinstance(default, tuple):
                default = ",".join(default)
            if isinstance(default, bool):
                default = str(default).lower()
            shown = "" if default in (None, PydanticUndefined) else str(default)
            variables.append((str(field.validation_alias), shown, field.description or ""))
        yield (model.__doc__ or "").strip().splitlines()[0], variables


def configuration_page() -> str:
    parts = [NOTICE + CONFIGURATION]
    for sentence, variables in settings():
        parts.append(f"\n## {sentence.rstrip('.')}\n\n| variable | default | effect |\n|---|---|---|\n")
        parts.append(
            rows((f"`{name}`", f"`{default}`" if default else "", text) for name, default, text in variables)
        )
    return "".join(parts)


def env_example() -> str:
    lines = ["# Every setting with its default. Written by `make docs` from the code."]
    for sentence, variables in settings():
        lines += ["", f"# {sentence}"]
        for name, default, text in variables:
            lines += [f"# {text}", f"# {name}={default}"]
    return "\n".join(lines) + "\n"


def rows(cells: Iterable[tuple[str, ...]]) -> str:
    escaped = ([cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in cells)
    return "".join(f"| {' | '.join(row)} |\n" for row in escaped)


def main() -> int:
    check = "--check" in sys.argv[1:]
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text]
    for path in stale:
        print(("out of date: " if check else "written: ") + str(path.relative_to(ROOT)))
        if not check:
            path.write_text(pages()[path], "utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
