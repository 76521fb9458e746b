"""What is asked of the API: each kind of request, once for every client."""

from typing import Any

import httpx
import orjson

from benchmarks.load import Request

LISTED = 50


class Requests:
    """Makes flows, one for each client and enough for a page, and the requests on them."""

    def __init__(self, base: str, token: str, content: dict[str, Any], clients: int) -> None:
        self._base = f"{base}/api/v1/flows"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._body = orjson.dumps({"content": content})
        self._http = httpx.Client(headers=self._headers, trust_env=False)
        self._flows = [self._create() for _ in range(max(clients, LISTED))]
        self._clients = clients

    def _create(self) -> str:
        answer = self._http.post(self._base, content=self._body).raise_for_status()
        return str(answer.json()["id"])

    def flow(self) -> bytes:
        """Return what reading a flow answers."""
        return self._http.get(f"{self._base}/{self._flows[0]}").raise_for_status().content

    def page(self) -> bytes:
        """Return what a list of 50 answers."""
        return self._http.get(self._base, params={"limit": LISTED}).raise_for_status().content

    def reads(self) -> list[Request]:
        return [Request("GET", self._of(flow), self._headers) for flow in self._flows[: self._clients]]

    def unchanged(self) -> list[Request]:
        """Reads that name the version they have, and are answered 304."""
        found = []
        for flow in self._flows[: self._clients]:
            tag = self._http.get(self._of(flow)).headers["ETag"]
            found.append(Request("GET", self._of(flow), {**self._headers, "If-None-Match": tag}, status=304))
        return found

    def lists(self) -> list[Request]:
        return [Request("GET", f"{self._base}?limit={LISTED}", self._headers)] * self._clients

    def updates(self) -> list[Request]:
        """Saves, each client's on a flow of its own."""
        return [
            Request("PUT", self._of(flow), self._headers, self._body) for flow in self._flows[: self._clients]
        ]

    def creates(self) -> list[Request]:
        return [Request("POST", self._base, self._headers, self._body, status=201)] * self._clients

    def _of(self, flow: str) -> str:
        return f"{self._base}/{flow}"
