"""Reads the program's source for what stands only inside functions: which values a call is given.

Every module of the three packages is found by walking, imported, and parsed. A name in the source is looked up in
its module, so that a call is recognized by the object that it calls, wherever both are.
"""

import ast
import dataclasses
import enum
import inspect
import pkgutil
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.abc import SourceLoader
from types import ModuleType
from typing import Any

import bot
import handlers
import models

PACKAGES = (bot, handlers, models)
_ROOTS = {package.__name__ for package in PACKAGES}
UNKNOWN = object()
# Wrappers of wrappers that a value is followed through.
_DEPTH = 5

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(eq=False)
class Call:
    """One call in the source, with the functions around it, the innermost last, and what its names mean."""

    node: ast.Call
    around: list[Function]
    names: dict[str, Any] = field(repr=False)
    callee: Any = field(default=UNKNOWN)

    def arguments(self) -> dict[str, ast.expr]:
        """The expressions given to a known callee by the name of their parameter; others by number or name.
        Under `**` what is spread, or taken in by the callee's own `**`.
        """
        positional = _parameters(self.callee)
        given = {
            positional[place] if place < len(positional) else str(place): node
            for place, node in enumerate(self.node.args)
        }
        return given | {word.arg: word.value for word in self.node.keywords if word.arg is not None}

    def value(self, node: ast.expr) -> Any:
        """What a name, an attribute or a constant stands for; UNKNOWN for anything that only a run can tell."""
        return _value(node, self.names)


def _parameters(callee: Any) -> list[str]:
    try:
        names = list(inspect.signature(callee).parameters)
    except (TypeError, ValueError):
        return []
    return names


def _value(node: ast.expr, names: dict[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return names.get(node.id, UNKNOWN)
    if isinstance(node, ast.Attribute):
        base = _value(node.value, names)
        return UNKNOWN if base is UNKNOWN else getattr(base, node.attr, UNKNOWN)
    return UNKNOWN


@cache
def modules() -> list[ModuleType]:
    """All modules of the three packages, however deep."""
    found: list[ModuleType] = list(PACKAGES)
    for package in PACKAGES:
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not info.name.endswith("__main__"):
                found.append(import_module(info.name))
    return found


@cache
def trees() -> list[tuple[ast.Module, dict[str, Any]]]:
    """Every module's source, and what its names mean, those that are imported inside functions included."""
    parsed = []
    for module in modules():
        loader = typing.cast(SourceLoader, module.__loader__)
        tree = ast.parse(loader.get_source(module.__name__) or "")
        parsed.append((tree, _late_imports(tree) | vars(module)))
    return parsed


def _late_imports(tree: ast.Module) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in _ROOTS:
            source = import_module(node.module)
            for alias in node.names:
                names[alias.asname or alias.name] = getattr(source, alias.name, UNKNOWN)
    return names


@cache
def calls() -> list[Call]:
    """Every call in the three packages."""
    return [call for tree, names in trees() for call in _calls(tree, [], names)]


def _calls(node: ast.AST, around: list[Function], names: dict[str, Any]) -> Iterator[Call]:
    for child in ast.iter_child_nodes(node):
        inner = [*around, child] if isinstance(child, Function) else around
        if isinstance(child, ast.Call):
            yield Call(child, inner, names, _value(child.func, names))
        yield from _calls(child, inner, names)


def calls_of(callee: Any) -> list[Call]:
    """The calls of one function or class."""
    return _by_callee().get(id(callee), [])


@cache
def _by_callee() -> dict[int, list[Call]]:
    found: dict[int, list[Call]] = {}
    for call in calls():
        if call.callee is not UNKNOWN:
            found.setdefault(id(call.callee), []).append(call)
    return found


def expressions(kind: type[ast.AST]) -> list[tuple[Any, dict[str, Any]]]:
    """Every node of a kind, and what the names of its module mean."""
    return _by_kind().get(kind, [])


@cache
def _by_kind() -> dict[type[ast.AST], list[tuple[Any, dict[str, Any]]]]:
    found: dict[type[ast.AST], list[tuple[Any, dict[str, Any]]]] = {}
    for tree, names in trees():
        for node in ast.walk(tree):
            found.setdefault(type(node), []).append((node, names))
    return found


# --- where a local name comes from --------------------------------------------------------------------------


def sources(call: Call, name: str, depth: int = _DEPTH) -> Iterator[tuple[Call, ast.expr]]:
    """The expressions that a local name of a call's functions may stand for: what it is assigned there, or, for a
    parameter, what the callers give.
    """
    for place in range(len(call.around) - 1, -1, -1):
        function = call.around[place]
        within = Call(call.node, call.around[: place + 1], call.names)
        assigned = [
            node.value for node in ast.walk(function) if isinstance(node, ast.Assign) and _sets(node, name)
        ]
        yield from ((within, value) for value in assigned)
        own = [arg.arg for arg in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
        if name in own and depth:
            for outer in calls_of(call.names.get(function.name, UNKNOWN)):
                given = outer.arguments().get(name)
                if given is not None:
                    yield outer, given
        if assigned or name in own:
            return


def _sets(node: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)


def constants(call: Call, node: ast.expr, accepted: Callable[[Any], bool], depth: int = _DEPTH) -> list[Any]:
    """The values, of those accepted, that an expression may have, as far as the source tells."""
    value = call.value(node)
    if value is not UNKNOWN and accepted(value):
        return [value]
    if isinstance(node, ast.IfExp):
        return constants(call, node.body, accepted, depth) + constants(call, node.orelse, accepted, depth)
    if isinstance(node, ast.JoinedStr):
        text = template(node, call.names)
        return [text] if accepted(text) else []
    if isinstance(node, ast.Name) and depth:
        found: list[Any] = []
        for where, source in sources(call, node.id, depth):
            found += constants(where, source, accepted, depth - 1)
        return found
    return []


def template(node: ast.JoinedStr, names: dict[str, Any]) -> str:
    """An f-string with `{}` for what only a run can tell."""
    parts = []
    for part in node.values:
        value = _value(part.value if isinstance(part, ast.FormattedValue) else part, names)
        parts.append("{}" if value is UNKNOWN or not isinstance(value, str | int) else str(value))
    return "".join(parts)


def without_names(node: ast.expr) -> str:
    """An expression with `_` for every name that is not Python's own: renaming a variable changes nothing."""
    node = ast.parse(ast.unparse(node), mode="eval").body
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id not in dir(__builtins__) and part.id not in ("str", "int"):
            part.id = "_"
    return ast.unparse(node)


# --- the keys of dictionaries -------------------------------------------------------------------------------

# A key, then the texts that it may have where they stand in the source; a key that may be missing ends with `?`.
Keys = dict[str, list[str]]


def keys(call: Call, node: ast.expr, depth: int = _DEPTH) -> Keys | None:
    """The keys of the dictionary that an expression makes; None when that is not one, or cannot be told."""
    if isinstance(node, ast.Dict):
        return _displayed(call, node, depth)
    if isinstance(node, ast.IfExp):
        branches = keys(call, node.body, depth), keys(call, node.orelse, depth)
        if None in branches:
            return None
        every = {**branches[0], **branches[1]}
        return {key if all(key in one for one in branches) else f"{key}?": texts for key, texts in every.items()}
    if isinstance(node, ast.Name) and depth:
        options = [keys(where, source, depth - 1) for where, source in sources(call, node.id, depth)]
        known = [option for option in options if option is not None]
        return known[0] if len(known) == 1 else None
    if isinstance(node, ast.Call) and depth:
        return _returned_keys(call, node, depth)
    return None


def _returned_keys(call: Call, node: ast.Call, depth: int) -> Keys | None:
    """The keys of the dictionary that one of the modules' own functions returns."""
    callee = call.value(node.func)
    if not inspect.isfunction(callee) or (callee.__module__, callee.__qualname__) not in _functions():
        return None
    function, names = _functions()[callee.__module__, callee.__qualname__]
    within = Call(node, [function], names, callee)
    returned = [one.value for one in ast.walk(function) if isinstance(one, ast.Return) and one.value is not None]
    branches = [keys(within, value, depth - 1) for value in returned]
    known = [branch for branch in branches if branch is not None]
    if not known or len(known) < len(branches):
        return None
    every = {key: texts for branch in known for key, texts in branch.items()}
    return {key if all(key in one for one in known) else f"{key}?": texts for key, texts in every.items()}


def _displayed(call: Call, node: ast.Dict, depth: int) -> Keys:
    found: Keys = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            found |= keys(call, value, depth) or {"(not known)": []}
        else:
            found[str(call.value(key))] = texts_of(call, value)
    return found


def texts_of(call: Call, node: ast.expr) -> list[str]:
    """The texts that a value may have, as far as they stand in the source."""
    return sorted(set(constants(call, node, lambda value: isinstance(value, str))))


def payloads(call: Call) -> list[Keys]:
    """The keyword arguments that a call's callee takes in by `**`, or its dictionaries; one for each caller of a
    function that hands on its own `**`.
    """
    own = set(_parameters(call.callee)) - _spread_names(call.callee)
    found: Keys = {}
    handed_on: list[Keys] = []
    for node in call.node.args:
        found |= keys(call, node) or {}
    for word in call.node.keywords:
        if word.arg is not None and word.arg not in own:
            found[word.arg] = texts_of(call, word.value)
        elif word.arg is None:
            spread = keys(call, word.value)
            if spread is None and (wrapper := _wrapper(call, word.value)) is not None:
                handed_on += [keys_ for outer in calls_of(wrapper) for keys_ in payloads(outer)]
            else:
                found |= spread or {"(not known)": []}
    return [found | one for one in handed_on] or [found]


def _spread_names(callee: Any) -> set[str]:
    try:
        parameters = inspect.signature(callee).parameters.values()
    except (TypeError, ValueError):
        return set()
    return {parameter.name for parameter in parameters if parameter.kind is parameter.VAR_KEYWORD}


def _wrapper(call: Call, node: ast.expr) -> Any:
    """The function around a call that has what is spread as its own `**`."""
    for function in reversed(call.around):
        if isinstance(node, ast.Name) and function.args.kwarg is not None and function.args.kwarg.arg == node.id:
            return call.names.get(function.name)
    return None


# --- the shape of what is printed as JSON -------------------------------------------------------------------


def shape(call: Call, node: ast.expr, depth: int = _DEPTH) -> list[str]:
    """The keys of a value that is printed as JSON, those of inner objects behind a dot, of lists behind `[]`."""
    if isinstance(node, ast.Dict):
        return [
            _joined("" if key is None else str(call.value(key)), line)
            for key, value in zip(node.keys, node.values, strict=True)
            for line in shape(call, value, depth) or ["(not known)" if key is None else ""]
        ]
    if isinstance(node, ast.DictComp):
        several = call.value(node.generators[0].iter)
        return [str(one.value) for one in several] if isinstance(several, enum.EnumType) else ["(not known)"]
    if isinstance(node, ast.ListComp):
        return [f"[].{line}" for line in shape(call, node.elt, depth)]
    if isinstance(node, ast.IfExp | ast.BinOp):
        sides = (node.body, node.orelse) if isinstance(node, ast.IfExp) else (node.left, node.right)
        return sorted({line for side in sides for line in shape(call, side, depth)})
    return _shape_elsewhere(call, node, depth) if depth else []


def _shape_elsewhere(call: Call, node: ast.expr, depth: int) -> list[str]:
    """What a name was assigned, or a function returns."""
    if isinstance(node, ast.Name):
        return sorted({line for where, one in sources(call, node.id) for line in shape(where, one, depth - 1)})
    return _of_call(call, node, depth) if isinstance(node, ast.Call) else []


def _joined(name: str, line: str) -> str:
    return f"{name}{line}" if not name or not line or line.startswith("[]") else f"{name}.{line}"


def _of_call(call: Call, node: ast.Call, depth: int) -> list[str]:
    callee = call.value(node.func)
    if callee is dataclasses.asdict:
        kind = _type(call, node.args[0], depth)
        return [one.name for one in dataclasses.fields(kind)] if kind else ["(not known)"]
    if not inspect.isfunction(callee) or (callee.__module__, callee.__qualname__) not in _functions():
        return []
    function, names = _functions()[callee.__module__, callee.__qualname__]
    within = Call(node, [function], names, callee)
    returned = [one.value for one in ast.walk(function) if isinstance(one, ast.Return) and one.value is not None]
    return sorted({line for value in returned for line in shape(within, value, depth - 1)})


@cache
def _functions() -> dict[tuple[str, str], tuple[Function, dict[str, Any]]]:
    """The modules' own functions in the source, by module and name."""
    return {
        (names["__name__"], node.name): (node, names)
        for tree, names in trees()
        for node in tree.body
        if isinstance(node, Function)
    }


def _type(call: Call, node: ast.expr, depth: int) -> type | None:
    """The dataclass of a value, from annotations."""
    if isinstance(node, ast.Attribute):
        owner = _type(call, node.value, depth)
        return _dataclass(typing.get_type_hints(owner).get(node.attr)) if owner else None
    if isinstance(node, ast.Name):
        return _type_of_name(call, node.id, depth)
    # What a call makes is told by what it calls, or by a function that it hands on.
    for inner in ast.walk(node):
        callee = call.value(inner) if isinstance(inner, ast.expr) else UNKNOWN
        hint = typing.get_type_hints(callee).get("return") if inspect.isfunction(callee) else None
        if hint is None and isinstance(inner, ast.Name):
            hint = _annotated(call, inner.id)
        if kind := _dataclass(hint):
            return kind
    return None


def _type_of_name(call: Call, name: str, depth: int) -> type | None:
    if kind := _dataclass(_annotated(call, name)):
        return kind
    if not depth:
        return None
    origins = [(call, node.iter) for node in _comprehensions(call) if ast.unparse(node.target) == name]
    origins += sources(call, name)
    return next((kind for where, node in origins if (kind := _type(where, node, depth - 1))), None)


def _comprehensions(call: Call) -> list[ast.comprehension]:
    return [node for function in call.around for node in ast.walk(function) if isinstance(node, ast.comprehension)]


def _annotated(call: Call, name: str) -> Any:
    """The annotation of a parameter, or of what an inner function returns."""
    for function in reversed(call.around):
        parts = {arg.arg: arg.annotation for arg in (*function.args.args, *function.args.kwonlyargs)}
        parts |= {node.name: node.returns for node in ast.walk(function) if isinstance(node, Function)}
        if (annotation := parts.get(name)) is not None:
            # Our own source.
            return eval(ast.unparse(annotation), call.names)  # noqa: S307
    return None


def _dataclass(hint: Any) -> type | None:
    """The dataclass in an annotation, such as that of `list[X]`."""
    if dataclasses.is_dataclass(hint):
        return hint if isinstance(hint, type) else None
    parts = [inner for part in typing.get_args(hint) for inner in (part if isinstance(part, list) else [part])]
    return next((kind for part in parts if (kind := _dataclass(part))), None)
