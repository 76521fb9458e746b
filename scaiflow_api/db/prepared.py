"""Statements of the hottest paths, made into text once: SQLAlchemy's work for one is several times the database's.

They are ordinary statements of SQLAlchemy. What is left out is what it does anew at each execution: looking up what
it compiled, and getting ready for every kind of answer. Errors, spans and transactions are as ever.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from sqlalchemy import Connection, CursorResult, Delete, Dialect, Insert, Select, Update
from sqlalchemy.orm import DeclarativeBase

Entity = TypeVar("Entity", bound=DeclarativeBase)
Convert: TypeAlias = Callable[[Any], Any] | None
"""What makes of a value what the driver takes, or of what it gave what we take; None: it is the same."""


class _Text(NamedTuple):
    """A statement as one dialect writes it."""

    text: str
    places: Sequence[tuple[str, Convert]]
    """The name of the value in each place."""
    constants: Mapping[str, Any]
    """Values that the statement brings itself."""
    columns: Sequence[tuple[str, Convert]]
    """The names of the answer's columns."""

    def given(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return what goes into the places."""
        named = {**self.constants, **values}
        return tuple([convert(named[name]) if convert else named[name] for name, convert in self.places])


class Prepared:
    """A statement whose values are parameters. `IN` has no place in it: how it is written follows from its values."""

    def __init__(self, statement: Select[Any] | Insert | Update | Delete) -> None:
        self._statement: Final = statement
        self._texts: dict[str, _Text] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> CursorResult[Any]:
        """Execute it. The answer's columns come as the driver gives them."""
        made = self._on(connection.dialect)
        return connection.exec_driver_sql(made.text, made.given(values))

    def run_all(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Execute it for each of some rows of values, of which there is at least one."""
        made = self._on(connection.dialect)
        connection.exec_driver_sql(made.text, [made.given(values) for values in rows])

    def first(self, connection: Connection, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """Execute it and return the answer's first row, if there is one, by the names of its columns."""
        row = self.run(connection, values).first()
        if row is None:
            return None
        columns = self._on(connection.dialect).columns
        return {
            name: convert(value) if convert else value
            for (name, convert), value in zip(columns, row, strict=True)
        }

    def _on(self, dialect: Dialect) -> _Text:
        made = self._texts.get(dialect.name)
        if made is None:
            made = self._texts[dialect.name] = _made(self._statement, dialect)
        return made


def _made(statement: Any, dialect: Dialect) -> _Text:
    compiled = statement.compile(dialect=dialect)
    names = compiled.positiontup
    values = {name: compiled.binds[name] for name in names}
    return _Text(
        str(compiled),
        [(name, values[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in names],
        {name: value.effective_value for name, value in values.items() if not value.required},
        [
            (column.key, column.type.dialect_impl(dialect).result_processor(dialect, None))
            for column in statement.exported_columns
        ],
    )


def entity(kind: type[Entity], values: Mapping[str, Any]) -> Entity:
    """Return a mapped object with these values, made as SQLAlchemy makes those that it reads.

    Setting them one by one, as `kind(…)` does, takes ten times as long.
    """
    made: Entity = kind.__mapper__.class_manager.new_instance()
    made.__dict__.update(values)
    return made
