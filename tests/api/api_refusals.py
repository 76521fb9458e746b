"""What an answer says that refuses something."""

import httpx


def refused(answer: httpx.Response) -> tuple[int, str]:
    """Return status and code of an error."""
    return answer.status_code, answer.json()["detail"]["error"]
