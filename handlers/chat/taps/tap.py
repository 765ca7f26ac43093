"""The base class of taps: frozen dataclasses that are packed into a button's callback data and unpacked from it.

The format is the tap's code and its fields, separated by colons; an enum is its first letter. Anyone can forge
callback data, so `unpack` returns a tap with fields of exactly the declared types, or raises InvalidTap. A tap
never grants a right.
"""

import enum
import re
from dataclasses import dataclass, fields
from typing import Any, ClassVar, dataclass_transform, get_type_hints

# Bot API, InlineKeyboardButton.callback_data: 1-64 bytes.
MAX_CALLBACK_DATA = 64

_TEXT = re.compile(r"[A-Za-z0-9_-]{1,24}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_BY_CODE: dict[str, type["Tap"]] = {}


class InvalidTap(ValueError):
    """The callback data is not that of any tap of this program."""


@dataclass_transform(frozen_default=True)
class Tap:
    """Base class of all taps. A field is an int from 0 to 999,999,999, a str of 1 to 24 letters, digits, - and _,
    or a StrEnum whose members differ in their first letters.

    `code` names the class in callback data. It must not change between releases, because old cards keep their
    buttons. A code that is used twice raises TypeError at import.
    """

    code: ClassVar[str]
    _types: ClassVar[dict[str, Any]]

    def __init_subclass__(cls, code: str) -> None:
        if code in _BY_CODE:
            raise TypeError(f"code {code} is taken")
        dataclass(frozen=True)(cls)
        hints = get_type_hints(cls)
        cls.code = code
        cls._types = {field.name: hints[field.name] for field in fields(cls)}  # type: ignore[arg-type]
        _BY_CODE[code] = cls

    def pack(self) -> str:
        """The callback data. Raises ValueError when a field's value does not fit, which is a programming error."""
        data = ":".join([self.code, *(_part(getattr(self, name)) for name in self._types)])
        if len(data.encode()) > MAX_CALLBACK_DATA or unpack(data) != self:
            raise ValueError(f"{self} does not fit into callback data")
        return data


def unpack(data: str) -> Tap:
    """The tap that callback data stands for. Raises InvalidTap."""
    code, *parts = data.split(":")
    kind = _BY_CODE.get(code)
    if kind is None or len(parts) != len(kind._types):
        raise InvalidTap
    return kind(*(_value(hint, part) for hint, part in zip(kind._types.values(), parts, strict=True)))


def _part(value: Any) -> str:
    return value[0] if isinstance(value, enum.StrEnum) else str(value)


def _value(hint: Any, part: str) -> Any:
    if hint is int and _NUMBER.fullmatch(part):
        return int(part)
    if hint is str and _TEXT.fullmatch(part):
        return part
    if issubclass(hint, enum.StrEnum):
        for member in hint:
            if _part(member) == part:
                return member
    raise InvalidTap


def all_kinds() -> list[type[Tap]]:
    """All declared tap classes, for tests that go through them."""
    return list(_BY_CODE.values())
