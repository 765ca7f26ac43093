"""Typesets PDFs and pictures with Typst, which sets Thai correctly and needs no system library and no network.

Facts are passed as data, not as markup: a name that contains Typst code is printed as text.
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
    """The PDF of a template in bot/papers/documents/, filled with `facts`, which must be JSON. Takes about 0.1 s
    of processor time: call it off the event loop. Raises typst.TypstError.
    """
    return _compiled(template, facts, "pdf")


def png(template: str, facts: Mapping[str, object], ppi: float) -> bytes:
    """The PNG of a one-page template at `ppi` pixels an inch; takes as long as `pdf`. Raises TypeError when there
    are several pages.
    """
    return _compiled(template, facts, "png", ppi)


def missing_font(font: str = FONT) -> str | None:
    """The font's name if it is not installed, else None. Typesets a line to check Typst itself."""
    typst.compile(f'#set text(font: "{font}")\nทดสอบ'.encode(), font_paths=_fonts())
    return None if font in _fonts().families() else font


def qr_svg(content: str) -> str:
    """A QR code with its quiet zone, as SVG."""
    svg = io.BytesIO()
    segno.make(content, error="m", micro=False).save(svg, kind="svg")
    return svg.getvalue().decode()


def _compiled(
    template: str, facts: Mapping[str, object], form: Literal["pdf", "png"], ppi: float | None = None
) -> bytes:
    content = typst.compile(
        TEMPLATES / template,
        root=TEMPLATES,
        font_paths=_fonts(),
        format=form,
        ppi=ppi,
        sys_inputs={"facts": json.dumps(facts, ensure_ascii=False)},
    )
    if not isinstance(content, bytes):
        raise TypeError(f"{template} has more than one page")
    return content


@cache
def _fonts() -> typst.Fonts:
    """The bundled fonts, read once. The machine's own are left out, so that documents look the same everywhere."""
    return typst.Fonts(include_system_fonts=False, font_paths=[FONTS])
