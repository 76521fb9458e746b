"""Access tokens: what is taken, and every way in which one is refused."""

import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jose import jwk, jwt
from tokens import AUDIENCE, ISSUER, PublishedKeys, claims, private_key, public_jwk, sign

from scaiflow_api.auth import tokens as tokens_module
from scaiflow_api.auth.errors import InvalidToken
from scaiflow_api.auth.tokens import SigningKey, TokenVerifier
from scaiflow_api.kit.clock import Clock


class Watch(Clock):
    """A clock that can be put forward."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


class CountingKeys(PublishedKeys):
    asked = 0

    async def find(self, kid: str) -> SigningKey | None:
        self.asked += 1
        return await super().find(kid)


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def keys() -> CountingKeys:
    return CountingKeys({"key-1", "key-2"})


@pytest.fixture
def verifier(keys: CountingKeys, watch: Watch) -> TokenVerifier:
    return TokenVerifier(base_url=ISSUER + "/", audiences=(AUDIENCE, "other-client"), keys=keys, clock=watch)


def encode(part: object) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def forge(header: dict[str, Any], payload: dict[str, Any], secret: bytes) -> str:
    signed = f"{encode(header)}.{encode(payload)}"
    return f"{signed}.{encode(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def public_bytes(encoding: serialization.Encoding) -> bytes:
    public = load_pem_private_key(private_key("key-1").encode(), None).public_key()
    return public.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


async def test_a_good_token_yields_its_claims(verifier: TokenVerifier) -> None:
    token = sign(claims(permissions=["scaicore:view"], groups=["grp_eng"]))

    found = await verifier.verify(token)

    assert (found.subject, found.tenant_id) == ("usr_alice", "tnt_acme")
    assert found.grants == {"openid", "profile", "email", "scaicore:view"}
    assert found.groups == {"grp_eng"}
    assert (found.email, found.display_name) == ("alice@acme.example", "Alice Archer")


@pytest.mark.parametrize(
    ("changed", "name", "expected"),
    [
        ({"groups": ["grp_a", 7, None, {"id": "grp_b"}, "grp_a"]}, "groups", {"grp_a"}),
        ({"groups": "grp_a"}, "groups", set()),
        ({"groups": {"grp_a": True}, "permissions": 1}, "groups", set()),
        ({"permissions": ["scaicore:view", ["scaicore:manage"]]}, "permissions", {"scaicore:view"}),
        ({"email": ["a@b"]}, "email", None),
        ({"email": "e" * 400}, "email", "e" * 320),
        ({"name": {"first": "Alice"}, "email": "e"}, "display_name", None),
        ({"name": "n" * 321, "groups": ["grp_a"]}, "groups", {"grp_a"}),
        ({"nbf": 1.5, "exp": 4_000_000_000.25}, "expires_at", 4_000_000_000.25),
    ],
)
async def test_what_a_token_can_do_without_refuses_nobody(
    verifier: TokenVerifier, changed: dict[str, Any], name: str, expected: object
) -> None:
    assert getattr(await verifier.verify(sign(claims(**changed))), name) == expected


@pytest.mark.parametrize("issuer", [ISSUER, f"{ISSUER}/tenants/tnt_acme"])
async def test_both_forms_of_the_issuer_are_taken(verifier: TokenVerifier, issuer: str) -> None:
    assert (await verifier.verify(sign(claims(iss=issuer)))).tenant_id == "tnt_acme"


@pytest.mark.parametrize("audience", ["other-client", [AUDIENCE, "somebody-else"]])
async def test_any_accepted_audience_is_enough(verifier: TokenVerifier, audience: object) -> None:
    assert (await verifier.verify(sign(claims(aud=audience)))).subject == "usr_alice"


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "exp", "iat", "scope", "tenant_id"])
async def test_a_missing_claim_refuses(verifier: TokenVerifier, claim: str) -> None:
    with pytest.raises(InvalidToken):
        await verifier.verify(sign(claims(**{claim: None})))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"aud": "user-portal"}, "Audience doesn't match"),
        ({"aud": []}, "Audience doesn't match"),
        ({"iss": "https://evil.example"}, "Issuer doesn't match"),
        ({"iss": f"{ISSUER}/tenants/tnt_globex"}, "Issuer doesn't match"),
        ({"exp": 1_000_000_000}, "Signature has expired"),
        ({"exp": "soon"}, "'exp' is malformed"),
        ({"exp": True}, "'exp' is malformed"),
        ({"exp": 10**400}, "not a JWT"),
        ({"exp": 10**12}, "'exp' is malformed"),
        ({"iat": "now"}, "'iat' is malformed"),
        ({"iat": -1}, "'iat' is malformed"),
        ({"iat": float(10**15)}, "'iat' is malformed"),
        ({"nbf": False}, "'nbf' is malformed"),
        ({"nbf": [], "groups": 7}, "'nbf' is malformed"),
        ({"iss": ["http://scaikey.test"]}, "Issuer doesn't match"),
        ({"aud": [AUDIENCE, 7]}, "Audience doesn't match"),
        ({"tenant_id": 7}, "it names no tenant"),
        ({"sub": ["usr_alice"]}, "'sub' or 'scope' is malformed"),
        ({"sub": "../../etc"}, "'sub' or 'scope' is malformed"),
        ({"scope": ["openid"]}, "'sub' or 'scope' is malformed"),
        ({"tenant_id": "a/b"}, "it names no tenant"),
    ],
)
async def test_a_wrong_claim_refuses(verifier: TokenVerifier, changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidToken) as refusal:
        await verifier.verify(sign(claims(**changed)))

    assert str(refusal.value) == f"invalid token: {reason}"


async def test_an_id_token_is_no_access_token(verifier: TokenVerifier) -> None:
    with pytest.raises(InvalidToken, match="no access token"):
        await verifier.verify(sign(claims(scope=None, nonce="n", at_hash="h")))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "HS256", "HS512", "PS256", "EdDSA", None, 7])
async def test_only_two_algorithms_are_ever_considered(verifier: TokenVerifier, algorithm: object) -> None:
    token = f"{encode({'alg': algorithm, 'kid': 'key-1', 'typ': 'JWT'})}.{encode(claims())}."

    with pytest.raises(InvalidToken, match="algorithm"):
        await verifier.verify(token)


@pytest.mark.parametrize("encoding", [serialization.Encoding.PEM, serialization.Encoding.DER])
@pytest.mark.parametrize("claimed", ["HS256", "RS256"])
async def test_the_public_key_is_no_shared_secret(
    verifier: TokenVerifier, encoding: serialization.Encoding, claimed: str
) -> None:
    token = forge({"alg": claimed, "kid": "key-1"}, claims(), public_bytes(encoding))

    with pytest.raises(InvalidToken):
        await verifier.verify(token)


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"]},
        {"jwk": public_jwk("key-1")},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example"},
        {"x5c": ["MIIB"]},
    ],
)
async def test_a_header_that_brings_its_own_rules_refuses(
    verifier: TokenVerifier, header: dict[str, Any]
) -> None:
    with pytest.raises(InvalidToken, match="header"):
        await verifier.verify(sign(claims(), headers=header))


async def test_a_key_is_chosen_by_its_id_alone(verifier: TokenVerifier) -> None:
    signed_by_another = sign(claims(), kid="key-2", headers={"kid": "key-1"})

    with pytest.raises(InvalidToken, match="Signature verification failed"):
        await verifier.verify(signed_by_another)


async def test_an_unpublished_key_refuses(verifier: TokenVerifier) -> None:
    with pytest.raises(InvalidToken, match="does not publish"):
        await verifier.verify(sign(claims(), kid="key-3"))


async def test_the_algorithm_must_be_that_of_the_key(verifier: TokenVerifier) -> None:
    token = sign(claims())
    changed = f"{encode({'alg': 'ES256', 'kid': 'key-1'})}.{token.split('.', 1)[1]}"

    with pytest.raises(InvalidToken):
        await verifier.verify(changed)


class OneEllipticKey:
    """A ScaiKey that was switched to ES256."""

    def __init__(self) -> None:
        self.signer = jwk.construct(ec.generate_private_key(ec.SECP256R1()), "ES256")

    async def find(self, kid: str) -> SigningKey:
        return SigningKey(kid, "ES256", self.signer.public_key().to_dict())

    def sign(self, payload: dict[str, Any]) -> str:
        return jwt.encode(payload, self.signer, algorithm="ES256", headers={"kid": "ec-1"})


async def test_tokens_of_an_elliptic_key(watch: Watch) -> None:
    keys = OneEllipticKey()
    verifier = TokenVerifier(base_url=ISSUER, audiences=(AUDIENCE,), keys=keys, clock=watch)
    token = keys.sign(claims())

    assert (await verifier.verify(token)).subject == "usr_alice"

    text, _, signature = token.rpartition(".")
    r, s = base64.urlsafe_b64decode(signature + "==")[:32], base64.urlsafe_b64decode(signature + "==")[32:]
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    der = utils.encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
    for forged in (
        bytes(64),
        s + r,
        r + s + b"\0",
        r,
        der,
        order.to_bytes(32) * 2,
        r + bytes(32),
        b"\xff" * 64,
    ):
        with pytest.raises(InvalidToken, match="Signature verification failed"):
            await verifier.verify(f"{text}.{encode(forged)}")
    with pytest.raises(InvalidToken, match="Signature verification failed"):
        await verifier.verify(f"{keys.sign(claims(sub='usr_root')).rpartition('.')[0]}.{signature}")


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "..", "e30.e30.", "ÿ.ÿ.ÿ", "a" * 20_000, encode([]) + ".x.y"]
)
async def test_what_is_no_token_refuses(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(InvalidToken):
        await verifier.verify(token)


@pytest.mark.parametrize("odd", ["=", "==", "~", "+", "/", "\n", " ", "A", "AAAAA"])
@pytest.mark.parametrize("part", [0, 1, 2])
async def test_only_plain_base64_is_read(verifier: TokenVerifier, part: int, odd: str) -> None:
    parts = sign(claims()).split(".")
    parts[part] += odd

    with pytest.raises(InvalidToken):
        await verifier.verify(".".join(parts))


async def test_a_signature_is_not_written_with_the_escapes_of_json(verifier: TokenVerifier) -> None:
    signed, _, signature = sign(claims()).rpartition(".")
    escaped = re.sub("[A-Za-z0-9]", lambda letter: f"\\u{ord(letter[0]):04x}", signature, count=4)

    with pytest.raises(InvalidToken):
        await verifier.verify(f"{signed}.{escaped}")


async def test_a_changed_payload_refuses(verifier: TokenVerifier) -> None:
    header, _, signature = sign(claims()).split(".")

    with pytest.raises(InvalidToken):
        await verifier.verify(f"{header}.{encode(claims(sub='usr_root'))}.{signature}")


async def test_a_signature_is_checked_once(verifier: TokenVerifier, keys: CountingKeys) -> None:
    token = sign(claims())

    await verifier.verify(token)
    await verifier.verify(token)

    assert keys.asked == 1


async def test_so_many_signatures_are_remembered_and_no_more(
    verifier: TokenVerifier, keys: CountingKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens_module, "_REMEMBERED", 3)
    signed = [sign(claims(jti=str(number))) for number in range(5)]
    for token in signed:
        await verifier.verify(token)
    assert len(verifier._verified) == 3

    for token in (signed[4], signed[0]):  # the newest is known, the oldest is not any more
        await verifier.verify(token)
    assert keys.asked == 6


async def test_a_signature_is_checked_again_after_five_minutes(
    verifier: TokenVerifier, keys: CountingKeys, watch: Watch
) -> None:
    token = sign(claims())
    for minutes in (0, 4, 6, -60):  # a clock that was set back makes nothing good for longer
        watch.offset = timedelta(minutes=minutes)
        await verifier.verify(token)

    assert keys.asked == 3


async def test_a_remembered_token_still_expires(verifier: TokenVerifier, watch: Watch) -> None:
    token = sign(claims())
    await verifier.verify(token)

    watch.offset = timedelta(hours=1, seconds=25)
    await verifier.verify(token)  # within the leeway
    watch.offset = timedelta(hours=1, seconds=35)

    with pytest.raises(InvalidToken, match="expired"):
        await verifier.verify(token)
