"""Whether ScaiVault works, for anybody who asks."""

from typing import Any

from fastapi import APIRouter

from scaiflow_api.localgrid.grid import GridDep
from scaiflow_api.localgrid.scaikey.directory import moment

router = APIRouter()


@router.get("/health")
async def health(grid: GridDep) -> dict[str, Any]:
    return {"status": "healthy", "timestamp": moment(grid.clock)}


@router.get("/health/ready")
async def ready(grid: GridDep) -> dict[str, Any]:
    await grid.store.read(lambda connection: connection.execute("SELECT 1 FROM secrets LIMIT 1").fetchone())
    return {"status": "ready", "checks": {"database": "ok"}}
