"""SQL is made of a statement once, not once per test.

SQLAlchemy keeps with an engine what it made of a statement, as long as the engine lives, which is for ever in
production. Every test opens engines of its own, and making the same SQL again took an eighth of the time.
"""

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.engine import Engine
from sqlalchemy.util import LRUCache

_MADE: LRUCache[object, object] = LRUCache(2000)


class SameDialect(SQLiteDialect_aiosqlite):
    """The dialect of SQLite, of which any two are equal; their engines share what was made."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))

    @classmethod
    def engine_created(cls, engine: Engine) -> None:
        engine._compiled_cache = _MADE  # type: ignore[assignment]


registry.register("sqlite.aiosqlite", __name__, SameDialect.__name__)
