"""The Bot API as data (schema/botapi.json), compiled once into small functions.

A checker takes a decoded JSON value and returns None, or what is wrong with it. The same checkers hold what
the emulator answers (Message, Update, …) and what the bot sends (reply_markup, commands, …).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from demo.botapi.errors import EmulatorBug

Checker = Callable[[Any], str | None]
JsonDict = dict[str, Any]

_SCHEMA = Path(__file__).parent / "schema" / "botapi.json"
_INTEGER = re.compile(r"-?\d+")
_FLOAT = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")
_BOOLEANS = frozenset({"true", "false"})


def _integer(value: Any) -> str | None:
    return None if type(value) is int else f"an Integer expected, got {value!r}"


def _float(value: Any) -> str | None:
    return None if type(value) in {int, float} else f"a Float expected, got {value!r}"


def _string(value: Any) -> str | None:
    return None if type(value) is str else f"a String expected, got {value!r}"


def _boolean(value: Any) -> str | None:
    return None if type(value) is bool else f"a Boolean expected, got {value!r}"


def _true(value: Any) -> str | None:
    return None if value is True else f"True expected, got {value!r}"


_PRIMITIVES: dict[str, Checker] = {
    "Integer": _integer,
    "Float": _float,
    "String": _string,
    "Boolean": _boolean,
    "True": _true,
    "InputFile": _string,  # inside JSON a file is its name: attach://<field>
}


@dataclass(frozen=True)
class Parameter:
    """One documented parameter of a method; `check` takes the text that came over HTTP."""

    name: str
    types: tuple[str, ...]
    required: bool
    check: Callable[[str], str | None]


@dataclass(frozen=True)
class Method:
    """One documented method with its parameters and what it returns."""

    name: str
    parameters: dict[str, Parameter]
    returns: Checker


class Schema:
    """Every type and method of the documentation, each compiled at its first use."""

    def __init__(self, document: JsonDict) -> None:
        self.version: str = document["version"]
        self._types: dict[str, JsonDict] = document["types"]
        self._methods: dict[str, JsonDict] = {name.lower(): data for name, data in document["methods"].items()}
        self._checkers: dict[str, Checker] = dict(_PRIMITIVES)
        self._compiled: dict[str, Method] = {}

    def method(self, name: str) -> Method | None:
        """Find a method by its name in any letter case, as the real server does."""
        compiled = self._compiled.get(name)
        if compiled is None:
            key = name.lower()
            if key not in self._methods:
                return None
            compiled = self._compiled.get(key) or self._compile_method(self._methods[key])
            self._compiled[name] = self._compiled[key] = compiled
        return compiled

    def checker(self, name: str) -> Checker:
        """Give the checker of a type; one that refers to itself is looked up again when it is called."""
        checker = self._checkers.get(name)
        if checker is not None:
            return checker

        def later(value: Any) -> str | None:
            return self._checkers[name](value)

        self._checkers[name] = later
        if name.startswith("Array of "):
            compiled = _array(self.checker(name.removeprefix("Array of ")))
        elif "subtypes" in self._types[name]:
            compiled = self.union(tuple(self._types[name]["subtypes"]))
        else:
            compiled = self._object(name)
        self._checkers[name] = compiled
        return compiled

    def union(self, names: tuple[str, ...]) -> Checker:
        """Check that a value is one of several types."""
        if len(names) == 1:
            return self.checker(names[0])
        checkers = [self.checker(name) for name in names]

        def check(value: Any) -> str | None:
            errors = []
            for check_type in checkers:
                error = check_type(value)
                if error is None:
                    return None
                errors.append(error)
            return " / ".join(errors)

        return check

    def verify(self, type_name: str, value: Any) -> None:
        """Raise when the emulator is about to say something undocumented."""
        error = self.checker(type_name)(value)
        if error is not None:
            raise EmulatorBug(f"{type_name}: {error}")

    def _object(self, name: str) -> Checker:
        fields = self._types[name].get("fields", [])
        checkers = {field["name"]: self._field(name, field) for field in fields}
        required = frozenset(field["name"] for field in fields if field["required"])

        def check(value: Any) -> str | None:
            if type(value) is not dict:
                return f"an object {name} expected, got {value!r}"
            for key, item in value.items():
                check_field = checkers.get(key)
                if check_field is None:
                    return f"{name} has no field {key!r}"
                error = check_field(item)
                if error is not None:
                    return f"{key}: {error}"
            if not required <= value.keys():
                return f"{name} lacks {sorted(required - value.keys())}"
            return None

        return check

    def _field(self, owner: str, field: JsonDict) -> Checker:
        # The document gives `True` flags as Boolean; fixed words ("kicked") only in the prose.
        fixed = re.search(r"(?:always|must be) \W(\w+)\W", field["description"])
        if field["name"] in {"status", "type", "source"} and fixed and field["types"] == ["String"]:
            word = fixed.group(1)
            return lambda value: None if value == word else f"{owner} must say {word!r}, not {value!r}"
        return self.union(tuple(field["types"]))

    def _compile_method(self, data: JsonDict) -> Method:
        parameters = {
            field["name"]: Parameter(
                field["name"], tuple(field["types"]), field["required"], self._parameter(tuple(field["types"]))
            )
            for field in data.get("fields", [])
        }
        return Method(data["name"], parameters, self.union(tuple(data["returns"])))

    def _parameter(self, types: tuple[str, ...]) -> Callable[[str], str | None]:
        """Check a parameter as it comes over HTTP: text, in which arrays and objects are JSON."""
        if {"String", "InputFile"} & set(types):
            return lambda text: None
        if types == ("Integer",):
            return lambda text: None if _INTEGER.fullmatch(text) else f"an Integer expected, got {text!r}"
        if types == ("Float",):
            return lambda text: None if _FLOAT.fullmatch(text) else f"a Float expected, got {text!r}"
        if types in {("Boolean",), ("True",)}:
            return lambda text: None if text.lower() in _BOOLEANS else f"a Boolean expected, got {text!r}"
        compiled: list[Checker] = []

        def check(text: str) -> str | None:
            if not compiled:
                compiled.append(self.union(types))
            try:
                value = orjson.loads(text)
            except orjson.JSONDecodeError:
                return f"JSON expected, got {text!r}"
            return compiled[0](value)

        return check


def _array(item: Checker) -> Checker:
    def check(value: Any) -> str | None:
        if type(value) is not list:
            return f"an Array expected, got {value!r}"
        for index, element in enumerate(value):
            error = item(element)
            if error is not None:
                return f"[{index}]: {error}"
        return None

    return check


@lru_cache(maxsize=1)
def load() -> Schema:
    """Load the documentation once a process; it is about a megabyte of JSON."""
    return Schema(orjson.loads(_SCHEMA.read_bytes()))
