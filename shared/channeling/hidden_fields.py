"""Keeping secrets, and what is long, out of a struct's `repr`: it ends in logs and in tracebacks."""

from collections.abc import Callable

from msgspec import Struct


def repr_without(*hidden: str) -> Callable[[Struct], str]:
    """Return a `__repr__` that leaves these fields out."""

    def shown(struct: Struct) -> str:
        fields = (name for name in struct.__struct_fields__ if name not in hidden)
        return f"{type(struct).__name__}({', '.join(f'{name}={getattr(struct, name)!r}' for name in fields)})"

    return shown
