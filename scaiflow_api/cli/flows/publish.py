"""`scaiflow publish`: writes a package to hand on; uploads nothing."""

import sys
from typing import Any

from scaiflow_api.cli.failure import CommandFailed, Unusable
from scaiflow_api.cli.flows.documents import FlowFile, read_flow
from scaiflow_api.cli.flows.files import STANDARD, decode, read_bytes, refuse_sources, write_output
from scaiflow_api.cli.flows.findings import show, tell, too_large
from scaiflow_api.cli.flows.json_positions import lines_of
from scaiflow_api.cli.terminal import visible
from scaiflow_api.compiler import CompileError
from scaiflow_api.compiler.package import PackageInfo, PackageRefused, build_package, package_id_of
from scaiflow_api.flowgraph.limits import FlowTooLarge

PACKAGE_ENDING = ".scaipkg"


def publish(
    flow: str,
    *,
    package_id: str | None,
    name: str | None,
    version: str,
    description: str,
    readme: str | None,
    out: str | None,
) -> int:
    """Write the package. Return 1, having said why, for a flow that cannot be packaged."""
    file = read_flow(flow)
    name = name if name is not None else _name(file.document)
    info = PackageInfo(
        package_id=package_id if package_id is not None else package_id_of(name),
        name=name,
        version=version,
        description=description,
    )
    target = out or f"{info.package_id}-{info.version}{PACKAGE_ENDING}"
    refuse_sources(target, flow, *([] if readme is None else [readme]))
    package = _build(file, info, decode(readme, read_bytes(readme)) if readme is not None else None)
    if package is None:
        return 1
    write_output(target, package)
    if target != STANDARD:
        tell(f"wrote {target}")
    return 0


def _name(document: Any) -> str:
    name = document.get("name") if isinstance(document, dict) else None
    return name if isinstance(name, str) else ""


def _build(file: FlowFile, info: PackageInfo, readme: str | None) -> bytes | None:
    try:
        return build_package(file.document, info, readme=readme)
    except CompileError as failure:
        show(file, failure.diagnostics, sys.stderr)
    except FlowTooLarge as refusal:
        show(file, [too_large(refusal)], sys.stderr)
    except PackageRefused as refusal:
        if not refusal.paths:
            raise Unusable(_with_option(str(refusal), info)) from None
        lines = lines_of(file.text, refusal.paths)
        for path in refusal.paths:
            print(visible(f"{file.shown_name}:{lines[path]}: {path}: a literal secret"), file=sys.stderr)
        raise CommandFailed(str(refusal)) from None
    return None


def _with_option(sentence: str, info: PackageInfo) -> str:
    return sentence if info.package_id else f"{sentence}; the name gives none, so give one with --package-id"
