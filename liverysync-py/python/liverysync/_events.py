"""Makes the classes of events from the objects of docs/json.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class UnknownEvent:
    """An event that this version has no class for."""

    name: str
    """Its name, such as `in_sync`."""
    fields: dict[str, Any]
    """Its fields, as docs/json.md describes them."""


def event_name(cls: type) -> str:
    """Returns the name in docs/json.md: `InSync` is `in_sync`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


def decoder(classes: Iterable[type]) -> Callable[[str], Any]:
    """Returns a function that makes an event from its JSON text. It leaves out fields that the class does not know."""
    known = {event_name(cls): (cls, {field.name: field.metadata.get("of") for field in fields(cls)}) for cls in classes}

    def decode(text: str) -> Any:
        values: dict[str, Any] = json.loads(text)
        name = values.pop("event")
        if name not in known:
            return UnknownEvent(name, values)
        cls, items = known[name]
        return cls(**{key: _value(items[key], value) for key, value in values.items() if key in items})

    return decode


def _value(item: type | None, value: Any) -> Any:
    if not isinstance(value, list):
        return value
    if item is None:
        return tuple(value)
    names: tuple[str, ...] = item.__match_args__  # type: ignore[attr-defined]
    return tuple(item(**{name: one[name] for name in names if name in one}) for one in value)
