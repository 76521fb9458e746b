"""The models that this grid serves by itself. Published Cores join them in `models.py`."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    slug: str
    display_name: str
    context_window: int
    max_output_tokens: int
    modality: str = "chat"
    status: str = "active"

    def as_dict(self) -> dict[str, Any]:
        """Return the model as `GET /v1/models` lists it."""
        health = {"health_status": "healthy", "active_backend_count": 1, "total_backend_count": 1}
        return {**asdict(self), **health}


CATALOGUE = (
    CatalogueModel("openai/gpt-4o", "GPT-4o", 128_000, 16_384),
    CatalogueModel("openai/gpt-4o-mini", "GPT-4o mini", 128_000, 16_384),
    CatalogueModel("scailabs/poolnoodle-omni", "Poolnoodle Omni", 256_000, 32_768),
)
_SLUGS = frozenset(model.slug for model in CATALOGUE)


def is_served(slug: str) -> bool:
    """Return whether model calls to this slug are answered here."""
    return slug in _SLUGS
