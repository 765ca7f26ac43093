"""Documents for people, typeset by typst: it sets Thai right, needs no system library and no network.

Facts go in as data and come out as text. None of them is ever read as markup, whatever a name holds.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import fontpkg_sarabun  # type: ignore[import-untyped]
import typst

TEMPLATES = Path(__file__).parent / "documents"
FONTS = fontpkg_sarabun.ROOT / "files"


def pdf(template: str, facts: Mapping[str, object]) -> bytes:
    """The document of a template in bot/documents/, with `facts` in it. Takes about 0.2 s: call it off the event
    loop.
    """
    return typst.compile(
        TEMPLATES / template,
        root=TEMPLATES,
        font_paths=[FONTS],
        # The same on every machine.
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"facts": json.dumps(facts, ensure_ascii=False)},
    )
