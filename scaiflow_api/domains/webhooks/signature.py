"""Whether a webhook comes from ScaiKey: judged over the bytes as they came, before anything reads them."""

import hashlib
import hmac
import re

from scaiflow_api.domains.webhooks.errors import InvalidWebhookSignature

TOLERANCE_S = 300
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


def verify(body: bytes, *, signature: str | None, timestamp: str | None, secret: str, now: float) -> int:
    """Return the time of signing, in seconds since 1970. Raises InvalidWebhookSignature.

    `signature` is `t=<timestamp>,v1=<hex>`, with several `v1` while ScaiKey changes its secret; the header
    `timestamp` must say the same time as the signed one.
    """
    if not signature:
        raise InvalidWebhookSignature(reason="the signature is missing")
    if not timestamp:
        raise InvalidWebhookSignature(reason="the timestamp is missing")
    parts = [part.strip().partition("=") for part in signature.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1 or not _TIMESTAMP.fullmatch(times[0]):
        raise InvalidWebhookSignature(reason="the signature cannot be read")
    if times[0] != timestamp.strip():
        raise InvalidWebhookSignature(reason="the timestamp is not the one that was signed")
    expected = hmac.new(secret.encode(), times[0].encode() + b"." + body, hashlib.sha256).hexdigest().encode()
    # All are compared, each in constant time: how long it takes tells nothing of the right one.
    matches = [
        hmac.compare_digest(expected, value.encode("utf-8", "surrogatepass"))
        for name, _, value in parts
        if name == "v1"
    ]
    if not any(matches):
        raise InvalidWebhookSignature(reason="the signature does not match")
    signed_at = int(times[0])
    if abs(now - signed_at) > TOLERANCE_S:
        raise InvalidWebhookSignature(reason="the timestamp is too far from now")
    return signed_at
