"""Lookups over the wire."""

from scaiflow_api.web.schemas import AnswerModel


class ModelItem(AnswerModel):
    """A model of the tenant. What ScaiGrid does not say is left out."""

    slug: str
    display_name: str
    modality: str | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None


class ModelList(AnswerModel):
    data: list[ModelItem]
