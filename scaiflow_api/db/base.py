"""The base of all tables, and column types that mean the same on SQLite, PostgreSQL and MariaDB."""

from datetime import UTC, datetime
from typing import Annotated, Any

from sqlalchemy import VARBINARY, DateTime, Dialect, LargeBinary, MetaData, String
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import TypeDecorator

# Named constraints can be told apart in errors and dropped in migrations.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC with microseconds; only PostgreSQL keeps the zone by itself."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name in ("mysql", "mariadb"):
            from sqlalchemy.dialects.mysql import DATETIME  # noqa: PLC0415 - slow to load, and rarely needed

            return dialect.type_descriptor(DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone is ambiguous")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class ExactText(TypeDecorator[str]):
    """Text that compares code point by code point, whatever the server's default: MariaDB's would fold case."""

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name in ("mysql", "mariadb"):
            from sqlalchemy.dialects.mysql import VARCHAR  # noqa: PLC0415 - slow to load, and rarely needed

            return dialect.type_descriptor(VARCHAR(self.length, charset="utf8mb4", collation="utf8mb4_bin"))
        # PostgreSQL's default is the language of whoever set it up; SQLite knows no other than this.
        collation = "C" if dialect.name == "postgresql" else None
        return dialect.type_descriptor(String(self.length, collation))

    def __repr__(self) -> str:
        return f"ExactText({self.length})"  # so a generated migration reads like a written one


class Bytes(TypeDecorator[bytes]):
    """Up to 16 MiB; MariaDB's default would end at 64 KiB."""

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name in ("mysql", "mariadb"):
            from sqlalchemy.dialects.mysql import MEDIUMBLOB  # noqa: PLC0415 - slow to load, and rarely needed

            return dialect.type_descriptor(MEDIUMBLOB())
        return dialect.type_descriptor(LargeBinary())


class ExactBytes(TypeDecorator[bytes]):
    """A few bytes that can be looked up, and compare byte by byte."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(
            VARBINARY(self.length) if dialect.name in ("mysql", "mariadb") else LargeBinary(self.length)
        )

    def __repr__(self) -> str:
        return f"ExactBytes({self.length})"


Id = Annotated[str, mapped_column(ExactText(128))]
Name = Annotated[str, mapped_column(ExactText(200))]
NameKey = Annotated[str, mapped_column(ExactText(400))]
"""A name in lower case: a letter may become two."""
Word = Annotated[str, mapped_column(ExactText(64))]
Text = Annotated[str, mapped_column(ExactText(2000))]
Moment = Annotated[datetime, mapped_column(UTCDateTime)]


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMING)
