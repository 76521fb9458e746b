"""The database for commands, with a sentence instead of a traceback when it cannot be used."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from scaiflow_api.cli.failure import CommandFailed
from scaiflow_api.db.errors import DatabaseUnavailable
from scaiflow_api.db.schema import NoSuchRevision


@contextmanager
def database_in_use() -> Iterator[None]:
    """Turn what can be wrong with the database into CommandFailed; its address stays out of every message."""
    try:
        yield
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError):
        raise CommandFailed(
            "SCAIFLOW_DB_URL is no SQLAlchemy async URL with a driver that is installed"
        ) from None
    except DatabaseUnavailable:
        raise CommandFailed(
            "the database of SCAIFLOW_DB_URL does not answer, or lacks a table: 'scaiflow migrate' makes them"
        ) from None
    except NoSuchRevision as error:
        raise CommandFailed(
            f"the schema cannot be changed ({error}): there is no such revision, or a newer ScaiFlow has used this"
            " database"
        ) from None
    except (DBAPIError, OSError) as error:
        cause = str(getattr(error, "orig", error)).splitlines()[0]
        raise CommandFailed(f"the database of SCAIFLOW_DB_URL cannot be used: {cause}") from None
