"""What all models share: they are frozen, and keep what they hide out of logs."""

from typing import Any, ClassVar, override

import msgspec


class _Hidden:
    """Stands in a representation for what is not shown."""

    @override
    def __repr__(self) -> str:
        return "…"


_HIDDEN = _Hidden()


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A value from the API. The members named in `hidden` (secrets, data subjects and their data)
    are readable, but are not shown by `repr`: representations end up in logs and tracebacks.
    """

    hidden: ClassVar[frozenset[str]] = frozenset()

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._shown())})"

    @override
    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return self._shown()

    def _shown(self) -> list[tuple[str, Any]]:
        values = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return [(name, _HIDDEN if name in self.hidden and value is not None else value) for name, value in values]


class Page[T](msgspec.Struct, frozen=True):
    """One page of a list; `next` is the cursor of the page after it, None on the last one."""

    items: tuple[T, ...]
    next: str | None = None


class Reference(msgspec.Struct, frozen=True):
    """Something named by its kind and its identifier."""

    kind: str
    id: str | None = None
