"""Tokens of attackers, sent to the real application: each is a 401 that says why, and none is ever logged."""

import base64
import hashlib
import hmac
import io
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from api_refusals import refused
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from people import People
from tokens import ISSUER, claims, private_key, public_jwk, sign

from scaiflow_api.kit.logging import configure_logging

Json = dict[str, Any]
NOW = int(time.time())
HEADER = {"alg": "RS256", "typ": "JWT", "kid": "key-1"}


def encode(part: object) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signed_by_scaikey(header: object, payload: object) -> str:
    """Sign anything with ScaiKey's own key: what is refused then is refused for what it says."""
    text = f"{encode(header)}.{encode(payload)}"
    key: Any = load_pem_private_key(private_key("key-1").encode(), None)
    return f"{text}.{encode(key.sign(text.encode(), padding.PKCS1v15(), SHA256()))}"


def with_secret(header: Json, secret: bytes, payload: Json | None = None) -> str:
    """Sign with a shared secret."""
    text = f"{encode(header)}.{encode(payload or claims())}"
    return f"{text}.{encode(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def public_key(encoding: serialization.Encoding) -> bytes:
    public = load_pem_private_key(private_key("key-1").encode(), None).public_key()
    return public.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


def with_signature(signature: bytes) -> str:
    return f"{encode(HEADER)}.{encode(claims())}.{encode(signature)}"


def by_a_key_of_its_own(**header: Any) -> str:
    """Sign with a key that the token brings along or claims to be ScaiKey's."""
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = f"{encode({**HEADER, **header})}.{encode(claims())}"
    return f"{text}.{encode(own.sign(text.encode(), padding.PKCS1v15(), SHA256()))}"


def by_an_elliptic_key() -> str:
    own = ec.generate_private_key(ec.SECP256R1())
    text = f"{encode({**HEADER, 'alg': 'ES256'})}.{encode(claims())}"
    return f"{text}.{encode(own.sign(text.encode(), ec.ECDSA(SHA256()))[:64])}"


def twice(member: str, first: object, second: object) -> bytes:
    """Return claims in which one member is given twice."""
    rest = json.dumps(claims(**{member: None}))[1:]
    return f"{{{json.dumps(member)}: {json.dumps(first)}, {json.dumps(member)}: {json.dumps(second)}, {rest}".encode()


ALGORITHM = "its algorithm is not allowed"
NO_KEY = "signed by a key that ScaiKey does not publish"
NO_MATCH = "Signature verification failed"
TWICE = "a member of it is given twice"
HEADERS = "its header is not allowed"

TOKENS: dict[str, tuple[Callable[[], str], str]] = {
    "no algorithm": (lambda: f"{encode({**HEADER, 'alg': 'none'})}.{encode(claims())}.", ALGORITHM),
    "no algorithm, oddly written": (
        lambda: f"{encode({**HEADER, 'alg': 'nOnE'})}.{encode(claims())}.",
        ALGORITHM,
    ),
    "no algorithm, two parts": (
        lambda: f"{encode({**HEADER, 'alg': 'none'})}.{encode(claims())}",
        "not a JWT",
    ),
    "no signature": (lambda: sign(claims()).rpartition(".")[0] + ".", NO_MATCH),
    "a signature of zeros": (lambda: with_signature(bytes(256)), NO_MATCH),
    "a signature of one": (lambda: with_signature(bytes(255) + b"\1"), NO_MATCH),
    "a signature beyond the modulus": (lambda: with_signature(b"\xff" * 256), NO_MATCH),
    "a signature that is too short": (lambda: with_signature(b"\1"), NO_MATCH),
    "a signature that is too long": (lambda: with_signature(bytes(2) + bytes(256)), NO_MATCH),
    "a signature that is cut": (lambda: sign(claims())[:-4], NO_MATCH),
    "a member given twice, deep inside": (
        lambda: signed_by_scaikey(
            HEADER, b'{"act": {"a": [{"b": 1, "b": 2}]}, ' + json.dumps(claims()).encode()[1:]
        ),
        TWICE,
    ),
    "a member given twice, once escaped": (
        lambda: signed_by_scaikey(HEADER, b'{"s\\u0075b": "usr_root", ' + json.dumps(claims()).encode()[1:]),
        TWICE,
    ),
    "public key as a secret": (
        lambda: with_secret({**HEADER, "alg": "HS256"}, public_key(serialization.Encoding.PEM)),
        ALGORITHM,
    ),
    "public key as a secret, said to be RS256": (
        lambda: with_secret(HEADER, public_key(serialization.Encoding.DER)),
        NO_MATCH,
    ),
    "published modulus as a secret": (
        lambda: with_secret({**HEADER, "alg": "HS256"}, public_jwk("key-1")["n"].encode()),
        ALGORITHM,
    ),
    "weaker algorithm": (lambda: with_secret({**HEADER, "alg": "RS1"}, b""), ALGORITHM),
    "other padding": (lambda: signed_by_scaikey({**HEADER, "alg": "PS256"}, claims()), ALGORITHM),
    "other family of the same key": (
        lambda: signed_by_scaikey({**HEADER, "alg": "RS512"}, claims()),
        ALGORITHM,
    ),
    "elliptic key under an RSA key's id": (by_an_elliptic_key, "its algorithm is not that of its key"),
    "algorithm given twice": (
        lambda: signed_by_scaikey(b'{"alg": "none", "kid": "key-1", "alg": "RS256"}', claims()),
        TWICE,
    ),
    "subject given twice": (
        lambda: signed_by_scaikey(HEADER, twice("sub", "usr_alice", "usr_root")),
        TWICE,
    ),
    "tenant given twice": (
        lambda: signed_by_scaikey(HEADER, twice("tenant_id", "tnt_acme", "tnt_globex")),
        TWICE,
    ),
    "expiry given twice": (lambda: signed_by_scaikey(HEADER, twice("exp", NOW - 99, NOW + 99)), TWICE),
    "key in the header": (lambda: by_a_key_of_its_own(jwk=public_jwk("key-2")), HEADERS),
    "key set of the attacker": (lambda: by_a_key_of_its_own(jku="https://evil.example/jwks.json"), HEADERS),
    "certificate of the attacker": (lambda: by_a_key_of_its_own(x5c=["MIIB"]), HEADERS),
    "address of a certificate": (lambda: by_a_key_of_its_own(x5u="https://evil.example/x"), HEADERS),
    "critical extension": (lambda: by_a_key_of_its_own(crit=["b64"], b64=False), HEADERS),
    "own key under ScaiKey's id": (by_a_key_of_its_own, NO_MATCH),
    "key id of a file": (lambda: with_secret({**HEADER, "kid": "../../../../dev/null"}, b""), NO_KEY),
    "key id of a query": (lambda: with_secret({**HEADER, "kid": "x' UNION SELECT 'k"}, b"k"), NO_KEY),
    "key id of an address": (lambda: with_secret({**HEADER, "kid": "http://evil.example/k"}, b"k"), NO_KEY),
    "key id with a line break": (lambda: with_secret({**HEADER, "kid": "key-1\r\nX: y"}, b"k"), NO_KEY),
    "key id without an end": (lambda: with_secret({**HEADER, "kid": "k" * 300}, b"k"), "it names no key"),
    "key id as a list": (lambda: with_secret({**HEADER, "kid": ["key-1"]}, b"k"), "it names no key"),
    "no key id": (lambda: with_secret({"alg": "RS256"}, b"k"), "it names no key"),
    "another issuer": (lambda: sign(claims(iss="https://evil.example")), "Issuer doesn't match"),
    "an issuer that begins alike": (
        lambda: sign(claims(iss=f"{ISSUER}.evil.example")),
        "Issuer doesn't match",
    ),
    "another tenant's issuer": (
        lambda: sign(claims(iss=f"{ISSUER}/tenants/tnt_globex")),
        "Issuer doesn't match",
    ),
    "another tenant in the claim": (lambda: sign(claims(tenant_id="tnt_globex")), "Issuer doesn't match"),
    "another audience": (lambda: sign(claims(aud="user-portal")), "Audience doesn't match"),
    "an audience that is an object": (lambda: sign(claims(aud={"a": "b"})), "Audience doesn't match"),
    "no tenant": (lambda: sign(claims(iss=ISSUER, tenant_id=None)), "it names no tenant"),
    "a platform token": (
        lambda: sign(claims(iss=ISSUER, tenant_id=None, sub="svc", platform_token=True)),
        "it names no tenant",
    ),
    "expired": (lambda: sign(claims(exp=NOW - 60)), "Signature has expired"),
    "not yet valid": (lambda: sign(claims(nbf=NOW + 3600)), "it is not valid yet"),
    "valid from nonsense": (lambda: sign(claims(nbf="soon")), "'nbf' is malformed"),
    "expires at infinity": (
        lambda: signed_by_scaikey(HEADER, json.dumps(claims(exp=float("inf"))).encode()),
        "not a JWT",
    ),
    "expires beyond all numbers": (
        lambda: signed_by_scaikey(HEADER, b'{"exp": 1e999, ' + json.dumps(claims(exp=None)).encode()[1:]),
        "not a JWT",
    ),
    "an ID token": (lambda: sign(claims(scope=None, nonce="n")), "it is no access token: 'scope' is missing"),
    "huge": (lambda: sign(claims(junk="x" * 40_000)), "too long"),
    "many parts": (lambda: ".".join(["e30"] * 2_000), "not a JWT"),
    "deep": (lambda: f"{encode(b'[' * 9_000)}.e30.x", "not a JWT"),
    "claims that are a list": (lambda: signed_by_scaikey(HEADER, [claims()]), "not a JWT"),
    "another's payload": (
        lambda: ".".join(
            [*sign(claims()).split(".")[:1], encode(claims(sub="usr_root")), sign(claims()).split(".")[2]]
        ),
        NO_MATCH,
    ),
}


@pytest.mark.parametrize("name", TOKENS)
async def test_a_hostile_token_is_refused_and_not_logged(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make, reason = TOKENS[name]
    token = make()
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    configure_logging("DEBUG")
    try:
        answer = await api.get("/me", headers={"Authorization": f"Bearer {token}"})
    finally:
        configure_logging("CRITICAL")

    detail = answer.json()["detail"]
    assert (answer.status_code, detail["error"]) == (401, "invalid_token"), detail
    assert detail["message"] == f"invalid token: {reason}"
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    logged = stream.getvalue()
    assert logged
    for part in token.split("."):
        assert len(part) < 12 or part not in logged + answer.text


@pytest.mark.parametrize(
    "header",
    [
        *(
            "",
            "Bearer",
            "Bearer ",
            "Basic {token}",
            "Token {token}",
            "{token}",
            "Bearer {token} x",
            "Bearer {token},x",
        ),
        *("Bearer\t{token}", "Bearer {token}\u00e9", "Bearer {token}{token} {token}"),
    ],
)
async def test_a_header_that_holds_no_bearer_is_none(
    api: httpx.AsyncClient, people: People, header: str
) -> None:
    sent = header.format(token=people.bob.token())
    answer = await api.get("/me", headers={"Authorization": sent.encode("latin-1")})  # type: ignore[dict-item]

    assert answer.status_code == 401
    assert answer.json()["detail"]["error"] in {"not_authenticated", "invalid_token"}


@pytest.mark.parametrize("other", ["Bearer x", "Basic eDp5", "", "{same}"])
@pytest.mark.parametrize("first", [True, False])
async def test_two_authorization_headers_count_as_none(
    api: httpx.AsyncClient, people: People, other: str, first: bool
) -> None:
    """Whatever stands before this server may have looked at the other one."""
    good = f"Bearer {people.bob.token()}"
    sent = [("Authorization", good), ("Authorization", other.format(same=good))]
    answer = await api.get("/me", headers=sent if first else sent[::-1])

    assert refused(answer) == (401, "not_authenticated")


@pytest.mark.parametrize(
    "place", ["?token={token}", "?access_token={token}", "?authorization=Bearer {token}"]
)
async def test_a_token_in_the_address_is_not_looked_at(
    api: httpx.AsyncClient, people: People, place: str
) -> None:
    answer = await api.get("/me" + place.format(token=people.bob.token()))

    assert refused(answer) == (401, "not_authenticated")


async def test_the_same_claims_honestly_signed_are_taken(api: httpx.AsyncClient) -> None:
    """So that what is refused above is refused for the one thing that is wrong with it."""
    good = claims(permissions=["scaicore:view"])
    for token in (sign(good), signed_by_scaikey(HEADER, {**good, "nbf": NOW - 5})):
        answer = await api.get("/me", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json().get("sub")) == (200, "usr_alice")
