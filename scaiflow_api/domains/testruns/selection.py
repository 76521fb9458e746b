"""Which fixtures of a flow are run, and what is said when there are none."""

from dataclasses import dataclass
from typing import Any

from scaiflow_api.flowgraph import TestFixture


@dataclass(frozen=True, slots=True)
class Selection:
    """The fixtures of a document that have a filter in their name, in any case and in the document's order."""

    fixtures: list[TestFixture]
    why_none: str | None
    """A sentence when there are none."""

    @classmethod
    def of(cls, document: dict[str, Any], name_filter: str | None) -> "Selection":
        all_of_them = [TestFixture.model_validate(fixture) for fixture in document.get("tests") or []]
        wanted = (name_filter or "").casefold()
        fixtures = [fixture for fixture in all_of_them if wanted in fixture.name.casefold()]
        if fixtures:
            return cls(fixtures, None)
        if all_of_them:
            return cls([], f"No fixture of this flow has '{name_filter}' in its name.")
        return cls(
            [],
            "This flow has no fixtures: add some under 'tests', each with a name, an input and what to expect.",
        )
