"""Names that may occur once: ids per list, variables, fixtures, model roles, queues.

Works on the raw document, so that it finds doubles even where other parts are broken.
"""

from collections.abc import Iterator

from scaiflow_api.flowgraph.problems import DUPLICATE, Problem, join_path

TOP_LEVEL = (("nodes", "id"), ("edges", "id"), ("variables", "name"), ("tests", "name"))


def find_duplicates(document: dict[str, object]) -> Iterator[Problem]:
    """Yield one problem for each repeated name, at its second and later places."""
    for key, name in TOP_LEVEL:
        yield from _doubles(document.get(key), name, (key,))
    nodes = document.get("nodes")
    for index, node in enumerate(nodes if isinstance(nodes, list) else ()):
        if isinstance(node, dict):
            for side in ("inputs", "outputs"):
                if side in node:
                    yield from _doubles(node[side], "id", ("nodes", index, side))
    yield from _doubles(
        _inner(document, "core_identity", "models"), "role", ("config", "core_identity", "models")
    )
    yield from _doubles(_inner(document, "scaiqueue", "queues"), "slug", ("config", "scaiqueue", "queues"))


def _inner(document: dict[str, object], section: str, key: str) -> object:
    config = document.get("config")
    part = config.get(section) if isinstance(config, dict) else None
    return part.get(key) if isinstance(part, dict) else None


def _doubles(items: object, name: str, where: tuple[str | int, ...]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, item in enumerate(items if isinstance(items, list) else ()):
        value = item.get(name) if isinstance(item, dict) else None
        if not isinstance(value, str):
            continue
        if value in first:
            earlier = join_path(*where, first[value])
            message = f"{name} {value!r} is taken by {earlier}"
            yield Problem(join_path(*where, index, name), message, DUPLICATE)
        else:
            first[value] = index
