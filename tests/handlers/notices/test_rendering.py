"""Every kind of notice has its rules and a renderer; the program does not start without them."""

import pytest

from handlers.notices.rendering import RENDERERS, require_renderers
from models.notices.kind import RULES, NoticeKind


def test_every_kind_has_rules_and_a_renderer() -> None:
    assert RULES.keys() == RENDERERS.keys() == set(NoticeKind)
    require_renderers()


@pytest.mark.parametrize("kind", NoticeKind)
def test_the_program_does_not_start_without_one(kind: NoticeKind) -> None:
    with pytest.raises(LookupError, match=kind):
        require_renderers({other: RENDERERS[other] for other in NoticeKind if other != kind})
