"""The people of the tests; each has a token signed by the tests' ScaiKey."""

from dataclasses import dataclass
from functools import lru_cache
from time import time
from typing import Any

from tokens import ISSUER, claims, sign


@dataclass(frozen=True)
class Person:
    """Somebody with a token."""

    id: str
    tenant_id: str
    permissions: tuple[str, ...] = ("scaicore:view", "scaicore:manage")
    groups: tuple[str, ...] = ()

    def token(self, **changed: Any) -> str:
        good = {
            "sub": self.id,
            "tenant_id": self.tenant_id,
            "iss": f"{ISSUER}/tenants/{self.tenant_id}",
            "email": f"{self.id[4:]}@example.test",
            "name": self.id[4:].title(),
            "permissions": list(self.permissions),
            "groups": list(self.groups),
        }
        return sign(claims(**{**good, **changed}))

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {_token_of(self, int(time()))}"}


@lru_cache(maxsize=64)
def _token_of(person: Person, second: int) -> str:
    """Two tokens of one second are the same, and signing takes as long as many a request."""
    return person.token()


@dataclass(frozen=True)
class People:
    alice: Person = Person("usr_alice", "tnt_acme", groups=("grp_eng",))
    """Administrator of acme."""
    bob: Person = Person("usr_bob", "tnt_acme", groups=("grp_eng",))
    carol: Person = Person("usr_carol", "tnt_acme", permissions=("scaicore:view",), groups=("grp_ops",))
    """May look, but not change."""
    erin: Person = Person("usr_erin", "tnt_acme")
    """Like bob, in no group."""
    dave: Person = Person("usr_dave", "tnt_globex")
    root: Person = Person("usr_root", "tnt_platform")
    """Super admin."""
    nobody: Person = Person("usr_nobody", "tnt_acme", permissions=("scaicore:none",))
    """Signed in, without any permission."""
