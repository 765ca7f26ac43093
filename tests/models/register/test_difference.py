"""What a file changes in a register: records by their numbers, menus by their names."""

import random

from hypothesis import given
from hypothesis import strategies as st

from models.register.difference import ChangeKind, aligned, compare
from models.register.roster import Category, Headcount, MenuState, Record
from tests.models.register.rosters import MENUS, person, sent

records = st.builds(
    Record,
    st.integers(0, 8).map(str),
    st.sampled_from(["ก ข", "ค ง"]),
    st.sampled_from(Category),
    st.sampled_from(["ปลัด", "ครู"]),
    st.sampled_from(["", "กลาง"]),
    st.text("rn-", min_size=3, max_size=3),
)
registers = st.lists(records, max_size=9, unique_by=lambda record: record.record_no)


@given(old=registers, new=registers)
def test_the_difference_leads_from_the_one_register_to_the_other(old: list[Record], new: list[Record]) -> None:
    found = compare(MENUS, old, sent(*new))
    result = {record.record_no: record for record in old}
    for change in found.changes:
        assert change.before == result.pop(change.record.record_no, None)
        if change.after is not None:
            result[change.record.record_no] = change.after
    assert result == {record.record_no: record for record in new}
    assert found.before == Headcount.count(record.category for record in old)
    assert found.after == Headcount.count(record.category for record in new)
    assert found.after.total - found.before.total == found.count(ChangeKind.ADDED) - found.count(
        ChangeKind.REMOVED
    )
    assert found.is_nothing is (sorted(old) == sorted(new))
    assert sum(found.count(kind, one) for kind in ChangeKind for one in Category) == len(found.changes)


@given(old=registers, order=st.permutations(range(3)))
def test_the_order_of_rows_and_columns_is_no_difference(old: list[Record], order: list[int]) -> None:
    shuffled = random.Random(1).sample(old, len(old))
    moved = [record._replace(menus="".join(record.menus[place] for place in order)) for record in shuffled]
    file = aligned(sent(*moved, menus=tuple(MENUS[place] for place in order)), MENUS)
    assert file.menu_names == MENUS
    assert compare(MENUS, old, file).is_nothing


def test_menus_are_compared_by_name() -> None:
    file = sent(person(1, menus="n-r"), menus=("การศึกษา", "วันลา", "ประวัติ"))
    found = compare(MENUS, [person(1, menus="rrr")], file)
    assert (found.new_menus, found.gone_menus) == (("วันลา",), ("เครื่องราชฯ",))
    assert [change.menus for change in found.changes] == [(("การศึกษา", MenuState.RECORDED, MenuState.NONE),)]
    assert found.with_empty_menus == 1


def test_a_menu_that_only_goes_is_a_difference() -> None:
    assert not compare(MENUS, [person(1)], sent(person(1, menus="rr"), menus=MENUS[:2])).is_nothing
