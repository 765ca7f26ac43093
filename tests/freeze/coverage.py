"""Writes the section of docs/security.md that says what `laocert audit verify` covers, from the tables themselves.

    make freeze

writes it anew; a test fails while it differs.
"""

import importlib
import pkgutil
from pathlib import Path

import models
from models.base.coverage import Coverage
from models.base.tables import Base

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
BEGIN = "<!-- Written by `make freeze` from the tables' own declarations (models/base/coverage.py). -->\n"
END = "<!-- The end of what is written. -->\n"


def tables() -> list[type[Base]]:
    """All models, in order of their tables' names."""
    for module in pkgutil.walk_packages(models.__path__, "models."):
        if ".migrations" not in module.name:
            importlib.import_module(module.name)
    classes: list[type[Base]] = [mapper.class_ for mapper in Base.registry.mappers]
    return sorted(classes, key=lambda model: model.core().name)


def coverage_of(model: type[Base]) -> Coverage:
    """What a table declares."""
    declared = model.__dict__.get("COVERAGE")
    assert isinstance(declared, Coverage), f"{model.__name__} declares no COVERAGE (models/base/coverage.py)"
    return declared


def columns(model: type[Base]) -> list[str]:
    """The names of a table's columns, in order."""
    return [column.key for column in model.core().columns]


def written() -> str:
    """The section between its marks."""
    lines = [
        "| table | compared with the record | under the row's seal | not covered, and why |",
        "|---|---|---|---|",
    ]
    lines += [_line(model) for model in tables()]
    return "\n".join([*lines, ""])


def _line(model: type[Base]) -> str:
    coverage, names = coverage_of(model), columns(model)
    recorded = [name for name in names if name in coverage.events]
    sealed = [name for name in names if coverage.is_sealed(name)]
    reasons = {name: coverage.why_not(name) for name in names}
    if coverage.default:
        why = f"all of it: {coverage.default}"
    else:
        why = "; ".join(f"{_listed([name], names)}: {reason}" for name, reason in reasons.items() if reason)
    against = f", with {coverage.against}" if coverage.against else ""
    cells = (
        f"`{model.core().name}`",
        _listed(recorded, names) + against if recorded else "",
        _listed(sealed, names),
        why,
    )
    return f"| {' | '.join(cells)} |"


def _listed(some: list[str], names: list[str]) -> str:
    return "all columns" if some == names else ", ".join(f"`{name}`" for name in some)


def page() -> str:
    """docs/security.md with the section as it should be."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    return f"{before}{BEGIN}{written()}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
