"""The local grid."""

from pydantic import SecretStr

from scaiflow_api.settings.section import Section, variable


class LocalGrid(Section):
    """What `scaiflow dev` and `scaiflow grid` start on a laptop; production never reads these."""

    host: str = variable("SCAIFLOW_GRID_HOST", "127.0.0.1", "bind address of the local grid; loopback only")
    port: int = variable("SCAIFLOW_GRID_PORT", 8002, "port of the local grid", ge=0, le=65535)
    data_folder: str = variable(
        "SCAIFLOW_DATA_FOLDER",
        "./.scaiflow",
        "where `scaiflow dev` keeps database, documents and the grid's state",
    )
    database: str = variable("SCAIFLOW_GRID_DB", "./grid.db", "SQLite file that keeps the local grid's state")
    model_url: str | None = variable(
        "SCAIFLOW_GRID_MODEL_URL", None, "base URL of an OpenAI-compatible endpoint; unset: the offline model"
    )
    model_key: SecretStr | None = variable("SCAIFLOW_GRID_MODEL_KEY", None, "bearer for that endpoint")
    faults: bool = variable(
        "SCAIFLOW_GRID_FAULTS", False, "offer the switch that makes the local grid fail, for tests"
    )
