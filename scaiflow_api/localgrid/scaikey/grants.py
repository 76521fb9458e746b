"""Codes, refresh tokens and browser sessions: opaque secrets of which only a hash is kept.

A code and all refresh tokens that descend from it form one family. If a used member is presented again, one of the
two bearers is a thief: the whole family ends.
"""

import hashlib
import hmac
import secrets
import sqlite3
from base64 import urlsafe_b64encode
from dataclasses import dataclass

from scaiflow_api.localgrid.store import Store

CODE_LIFE_S = 60
REFRESH_LIFE_S = 30 * 24 * 3600
SESSION_LIFE_S = 12 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a person let a client do."""

    family: str
    client_id: str
    user_id: str
    scope: str
    auth_time: int
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a code or a refresh token is worth nothing."""

    reason: str
    error: str = "invalid_grant"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCode:
    """What a code is bound to."""

    client_id: str
    user_id: str
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str | None
    auth_time: int


def challenge_of(verifier: str) -> str:
    """Return PKCE's S256 challenge of a verifier (RFC 7636 §4.2)."""
    digest = hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class Grants:
    """The store's side of sign-in."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def new_code(self, code: NewCode, now: float) -> str:
        """Keep a single-use code and return it."""
        secret = secrets.token_urlsafe(32)
        row = (
            *(_hash(secret), secrets.token_hex(16), code.client_id, code.user_id, code.redirect_uri),
            *(code.scope, code.nonce, code.code_challenge, code.auth_time, now + CODE_LIFE_S),
        )

        def keep(connection: sqlite3.Connection) -> None:
            connection.execute(
                "DELETE FROM authorization_codes WHERE expires_at < ?", (now - REFRESH_LIFE_S,)
            )
            connection.execute(
                "INSERT INTO authorization_codes (code_hash, family, client_id, user_id, redirect_uri, scope, nonce,"
                " code_challenge, auth_time, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )

        await self._store.write(keep)
        return secret

    async def redeem_code(
        self, code: str, *, client_id: str, redirect_uri: str, verifier: str | None, now: float
    ) -> tuple[Grant, str] | Refused:
        """Use a code up, by a wrong attempt as well; return its grant and the family's first refresh token."""

        def redeem(connection: sqlite3.Connection) -> tuple[Grant, str] | Refused:
            row = connection.execute(
                "SELECT * FROM authorization_codes WHERE code_hash = ?", (_hash(code),)
            ).fetchone()
            if row is None or row["client_id"] != client_id:
                return Refused("code is unknown")
            if row["used"]:
                _end_family(connection, row["family"])
                return Refused("code already used")
            connection.execute(
                "UPDATE authorization_codes SET used = 1 WHERE code_hash = ?", (row["code_hash"],)
            )
            reason = _fault_of_code(row, redirect_uri, verifier, now)
            if reason:
                return Refused(reason)
            grant = _grant(row, nonce=row["nonce"])
            return grant, _add_refresh_token(connection, grant, now)

        return await self._store.write(redeem)

    async def rotate_refresh_token(
        self, token: str, *, client_id: str, scope: str | None, now: float
    ) -> tuple[Grant, str] | Refused:
        """Use a refresh token up and return its grant with its successor. `scope` may only narrow the grant's."""

        def rotate(connection: sqlite3.Connection) -> tuple[Grant, str] | Refused:
            row = connection.execute(
                "SELECT * FROM refresh_tokens WHERE token_hash = ?", (_hash(token),)
            ).fetchone()
            if row is None or row["client_id"] != client_id:
                return Refused("refresh token is unknown")
            if row["used"]:
                _end_family(connection, row["family"])
                return Refused("refresh token already used")
            if row["revoked"]:
                return Refused("refresh token was revoked")
            if now >= row["expires_at"]:
                return Refused("refresh token expired")
            if scope is not None and not set(scope.split()) <= set(row["scope"].split()):
                return Refused("scope exceeds what was granted", error="invalid_scope")
            connection.execute(
                "UPDATE refresh_tokens SET used = 1 WHERE token_hash = ?", (row["token_hash"],)
            )
            grant = _grant(row)
            return grant, _add_refresh_token(connection, grant, now)

        return await self._store.write(rotate)

    async def start_session(self, user_id: str, now: float) -> str:
        """Keep a browser's session and return its cookie."""
        cookie = secrets.token_urlsafe(32)
        row = (_hash(cookie), user_id, int(now), now + SESSION_LIFE_S)

        def keep(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM sessions WHERE expires_at < ?", (now,))
            connection.execute(
                "INSERT INTO sessions (session_hash, user_id, auth_time, expires_at) VALUES (?, ?, ?, ?)", row
            )

        await self._store.write(keep)
        return cookie

    async def session_of(self, cookie: str, now: float) -> tuple[str, int] | None:
        """Return user id and time of sign-in of a session that is open."""
        row = await self._store.read(
            lambda connection: connection.execute(
                "SELECT user_id, auth_time FROM sessions"
                " WHERE session_hash = ? AND expires_at > ? AND terminated_reason IS NULL",
                (_hash(cookie), now),
            ).fetchone()
        )
        return (row["user_id"], row["auth_time"]) if row else None

    async def end_session(self, cookie: str) -> None:
        await self._store.write(
            lambda connection: connection.execute(
                "UPDATE sessions SET terminated_reason = 'user_logout' WHERE session_hash = ?",
                (_hash(cookie),),
            )
        )


def _fault_of_code(row: sqlite3.Row, redirect_uri: str, verifier: str | None, now: float) -> str | None:
    if now >= row["expires_at"]:
        return "code expired"
    if row["redirect_uri"] != redirect_uri:
        return "redirect_uri differs from the one of the authorization request"
    if row["code_challenge"] is None:
        return "code_verifier given, but the code was asked for without code_challenge" if verifier else None
    if not verifier:
        return "code_verifier is missing"
    if not hmac.compare_digest(challenge_of(verifier), row["code_challenge"]):
        return "code_verifier does not match the code_challenge"
    return None


def _grant(row: sqlite3.Row, nonce: str | None = None) -> Grant:
    return Grant(
        family=row["family"],
        client_id=row["client_id"],
        user_id=row["user_id"],
        scope=row["scope"],
        auth_time=row["auth_time"],
        nonce=nonce,
    )


def _add_refresh_token(connection: sqlite3.Connection, grant: Grant, now: float) -> str:
    token = secrets.token_urlsafe(48)
    connection.execute("DELETE FROM refresh_tokens WHERE expires_at < ?", (now,))
    connection.execute(
        "INSERT INTO refresh_tokens (token_hash, family, client_id, user_id, scope, auth_time, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            *(_hash(token), grant.family, grant.client_id, grant.user_id),
            *(grant.scope, grant.auth_time, now + REFRESH_LIFE_S),
        ),
    )
    return token


def _end_family(connection: sqlite3.Connection, family: str) -> None:
    connection.execute("UPDATE refresh_tokens SET revoked = 1 WHERE family = ?", (family,))
