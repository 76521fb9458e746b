"""What many tests of the catalog do first."""

from typing import Any, TypeAlias

import httpx

Json: TypeAlias = dict[str, Any]
Headers: TypeAlias = dict[str, str]


async def publish(api: httpx.AsyncClient, headers: Headers, content: Json, **fields: Any) -> Json:
    """Publish a document as `echo-agent`, unless told otherwise, and return the package."""
    body = {"package_id": "echo-agent", "content": content, **fields}
    answer = await api.post("/catalog/publish", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


async def listed(api: httpx.AsyncClient, headers: Headers) -> list[str]:
    """Return the ids of the packages that somebody sees."""
    answer = await api.get("/catalog", headers=headers)
    assert answer.status_code == 200, answer.text
    return [item["package_id"] for item in answer.json()]


async def versions(
    api: httpx.AsyncClient, headers: Headers, package_id: str = "echo-agent", expect: int = 200
) -> list[str]:
    """Return the versions of a package, newest first, having downloaded each of them."""
    answer = await api.get(f"/catalog/{package_id}", headers=headers)
    assert answer.status_code == expect, answer.text
    found = [row["version"] for row in answer.json().get("versions", [])]
    for version in found:
        file = await api.get(f"/catalog/{package_id}/download", params={"version": version}, headers=headers)
        assert file.status_code == 200, file.text
    return found
