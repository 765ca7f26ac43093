"""Documents for people, typeset by typst: it sets Thai right, needs no system library and no network.

Facts go in as data and come out as text. None of them is ever read as markup, whatever a name holds.
"""

import io
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import fontpkg_sarabun  # type: ignore[import-untyped]
import segno
import typst

TEMPLATES = Path(__file__).parent / "documents"
FONT = "Sarabun"
FONTS = fontpkg_sarabun.ROOT / "files"


def pdf(template: str, facts: Mapping[str, object]) -> bytes:
    """The document of a template in bot/papers/documents/, with `facts` in it. Takes about 0.1 s: call it off the
    event loop.
    """
    return _compiled(template, facts, "pdf")


def png(template: str, facts: Mapping[str, object], ppi: float) -> bytes:
    """The one page of a template as a picture of so many pixels an inch; as slow as a PDF."""
    return _compiled(template, facts, "png", ppi)


def missing_font(font: str = FONT) -> str | None:
    """The name of the font that documents are set in, when it is not there; sets a line to try typst."""
    typst.compile(f'#set text(font: "{font}")\nทดสอบ'.encode(), font_paths=_fonts())
    return None if font in _fonts().families() else font


def qr_svg(content: str) -> str:
    """A QR code with its quiet zone, for a template to show."""
    drawn = io.BytesIO()
    segno.make(content, error="m", micro=False).save(drawn, kind="svg")
    return drawn.getvalue().decode()


def _compiled(
    template: str, facts: Mapping[str, object], form: Literal["pdf", "png"], ppi: float | None = None
) -> bytes:
    made = typst.compile(
        TEMPLATES / template,
        root=TEMPLATES,
        font_paths=_fonts(),
        format=form,
        ppi=ppi,
        sys_inputs={"facts": json.dumps(facts, ensure_ascii=False)},
    )
    if not isinstance(made, bytes):
        raise TypeError(f"{template} has more than one page")
    return made


@cache
def _fonts() -> typst.Fonts:
    """Looked for once. Those of the machine are left out: a document is the same on every one."""
    return typst.Fonts(include_system_fonts=False, font_paths=[FONTS])
