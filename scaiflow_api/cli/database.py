"""The database for commands, with a sentence instead of a traceback when it cannot be used."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from scaiflow_api.cli.environment import load_settings
from scaiflow_api.cli.failure import CommandFailed
from scaiflow_api.db.errors import DatabaseUnavailable
from scaiflow_api.db.schema import NoSuchRevision, is_current
from scaiflow_api.kit.logging import configure_logging

if TYPE_CHECKING:
    from scaiflow_api.settings import Settings


def settings_of_a_database() -> "Settings":
    """Read the settings, log as they say, and find the database ready for this version. Raises CommandFailed."""
    settings = load_settings()
    configure_logging(settings.api.log_level)
    require_schema(settings.database.url.get_secret_value())
    return settings


def require_schema(url: str) -> None:
    """Raise CommandFailed unless the database is there, with the schema of this version."""
    with database_in_use():
        require_database(url)
        if not is_current(url):
            raise CommandFailed("the database has no schema of this version: run 'scaiflow migrate' first")


def require_database(url: str) -> None:
    """Raise CommandFailed where a file of SQLite is not there: connecting would make an empty one of its name."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite" or address.database in {None, "", ":memory:"}:
        return
    file = Path(address.database or "").absolute()
    if not file.exists():
        raise CommandFailed(
            f"there is no database at {file}, which SCAIFLOW_DB_URL names: a relative path is seen from the folder of"
            " the command; 'scaiflow migrate' makes a new one"
        )


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
