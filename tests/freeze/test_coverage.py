"""Every column says whether `laocert audit verify` finds it changed, and docs/security.md says the same."""

import pytest

from models.base.coverage import NotDeclared, not_covered
from models.base.tables import Base
from tests.freeze import coverage


@pytest.mark.parametrize("model", coverage.tables(), ids=lambda model: str(model.__tablename__))
def test_every_column_is_declared(model: type[Base]) -> None:
    declared, names = coverage.coverage_of(model), coverage.columns(model)
    for name in names:
        declared.why_not(name)
    told = declared.events | declared.sealed | set(declared.uncovered)
    assert told <= set(names), "a column is declared that there is not"
    assert not (declared.events | declared.sealed) & set(declared.uncovered)
    assert bool(declared.events) == bool(declared.against)


@pytest.mark.parametrize("model", coverage.tables(), ids=lambda model: str(model.__tablename__))
def test_what_is_sealed_is_declared_as_sealed(model: type[Base]) -> None:
    """By the columns that a table's seals are over, where it has seals (SEALS)."""
    for seal in getattr(model, "SEALS", ()):
        assert set(seal.columns) <= coverage.coverage_of(model).sealed


def test_a_column_that_nobody_declared_is_refused() -> None:
    with pytest.raises(NotDeclared):
        coverage.coverage_of(coverage.tables()[0]).why_not("a_new_column")
    assert not_covered("because").why_not("a_new_column") == "because"


def test_the_page_says_what_the_tables_declare() -> None:
    assert coverage.PAGE.read_text(encoding="utf-8") == coverage.page(), "make freeze writes it anew"
