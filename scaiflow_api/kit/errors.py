"""The one way to fail on purpose: an `AppError` with a stable code.

Every subclass is registered under its code; `docs/errors.md` is generated from the registry.
"""

from typing import Any, ClassVar


class AppError(Exception):
    """A failure that the caller can act on. Anything else is a bug and becomes a 500.

    `template` and `fix` are format strings over `fields`. The fields are also sent as data, so they
    may hold only what the caller may see.
    """

    status: ClassVar[int]
    error: ClassVar[str]
    """Stable, snake_case, never reused."""
    template: ClassVar[str]
    fix: ClassVar[str | None] = None
    come_again_s: ClassVar[int | None] = None
    """In so many seconds the same request may be answered; the caller is told by `Retry-After`."""
    denies: ClassVar[bool] = False
    """Whether it keeps somebody from something, or may hide that it is there: the audit log tells of that."""
    registry: ClassVar[dict[str, type["AppError"]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "error" in cls.__dict__ and cls.registry.setdefault(cls.error, cls) is not cls:
            raise TypeError(f"error {cls.error!r} is declared twice")

    def __init__(self, *, headers: dict[str, str] | None = None, **fields: Any) -> None:
        self.fields = fields
        come_again = {} if self.come_again_s is None else {"Retry-After": str(self.come_again_s)}
        self.headers = come_again | (headers or {})
        super().__init__(self.template.format(**fields))

    def detail(self) -> dict[str, Any]:
        """Return what goes on the wire as `detail`."""
        detail = {**self.fields, "error": self.error, "message": str(self)}
        if self.fix is not None:
            detail["fix"] = self.fix.format(**self.fields)
        return detail
