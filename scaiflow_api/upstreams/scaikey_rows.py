"""People, groups and members as ScaiKey tells of them, in lists and in webhooks, under whichever of their names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ID = re.compile(r"[A-Za-z0-9_.:@-]{1,128}", re.ASCII)
_STATUS = re.compile(r"[A-Za-z_]{1,64}", re.ASCII)
_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class DirectoryUser:
    """A person; None is what was not told."""

    tenant_id: str
    id: str
    email: str | None = None
    display_name: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class DirectoryGroup:
    """A group; None is what was not told."""

    tenant_id: str
    id: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class DirectoryMember:
    """Who is in a group: a person, or a group inside."""

    group: DirectoryGroup
    user: DirectoryUser | None
    child_id: str | None
    direct: bool = True
    """False: listed only because of a group inside."""


def read_user(row: Mapping[str, Any], tenant_id: str | None = None) -> DirectoryUser | None:
    """Return a person of `tenant_id`, or of the tenant that the row names; None without a usable id or tenant."""
    tenant_id, user_id = tenant_id or read_tenant(row), read_id(row, "user_id", "id")
    if tenant_id is None or user_id is None:
        return None
    parts = (read_text(row, "first_name"), read_text(row, "last_name"))
    status = row.get("status")
    return DirectoryUser(
        tenant_id,
        user_id,
        email=read_text(row, "email"),
        display_name=read_text(row, "display_name", "name")
        or " ".join(filter(None, parts))[:_LONGEST]
        or None,
        status=status.upper() if isinstance(status, str) and _STATUS.fullmatch(status) else None,
    )


def read_group(row: Mapping[str, Any], tenant_id: str | None = None) -> DirectoryGroup | None:
    """Return a group; None without a usable id or tenant."""
    tenant_id, group_id = tenant_id or read_tenant(row), read_id(row, "group_id", "id")
    if tenant_id is None or group_id is None:
        return None
    return DirectoryGroup(tenant_id, group_id, read_text(row, "name", "display_name"))


def read_member(row: Mapping[str, Any], group: DirectoryGroup) -> DirectoryMember | None:
    """Return a member of a group; None without a usable id."""
    is_group = row.get("member_type", "user") == "group" or ("group_id" in row and "user_id" not in row)
    if is_group:
        child_id = read_id(row, "member_id", "group_id", "id")
        return DirectoryMember(group, None, child_id) if child_id is not None else None
    named = {**row, "user_id": row.get("user_id") or row.get("member_id") or row.get("id")}
    user = read_user(named, group.tenant_id)
    inherited = str(row.get("membership_type", "DIRECT")).upper() != "DIRECT"
    return DirectoryMember(group, user, None, not inherited) if user is not None else None


def read_tenant(row: Mapping[str, Any]) -> str | None:
    """Return the tenant that a row names, as `tenant_id` or inside of `tenant`."""
    tenant = row.get("tenant")
    return read_id(row, "tenant_id") or (read_id(tenant, "id") if isinstance(tenant, Mapping) else None)


def read_id(row: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of the fields that holds something; None when that is no id."""
    value = next((row[name] for name in names if row.get(name)), None)
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def read_text(row: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of the fields that holds text, on one line and at most 200 characters of it."""
    texts = (row.get(name) for name in names)
    cleaned = (_UNFIT.sub("", text).strip()[:_LONGEST] for text in texts if isinstance(text, str))
    return next(filter(None, cleaned), None)
