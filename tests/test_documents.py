"""The documents: each says for whom it is, in short sentences, and its links lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DECISIONS = ROOT / "docs" / "adr"
SECTIONS = ["Context", "Decision", "Alternatives", "Consequences"]
# The most words that a page's sentences have on the average, and that a cell of a table has.
WORDS, CELL_WORDS = 25, 100
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")])
DECIDED = sorted(DECISIONS.glob("[0-9]*.md"))

# A list that grows at its end, and forms.
WITHOUT_READERS = {ROOT / "CHANGELOG.md", DECISIONS / "template.md", *DECIDED}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> list[str]:
    """The lines of a page that hold sentences: no heading, table, picture or code."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [line.strip() for line in text.splitlines()]
    return [re.sub(r"^(?:[-*]|\d+\.) ", "", line) for line in lines if line and line[0] not in "#|<!"]


def sentences(page: Path) -> list[list[str]]:
    """The sentences of a page, each as its words. Thai has no blanks: a phrase counts as one word."""
    parts = (re.split(r"(?<=[.!?])\s+", line) for line in prose(page))
    return [part.split() for line in parts for part in line]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_sentences_are_short_on_the_average(page: Path) -> None:
    lengths = [len(words) for words in sentences(page)]
    assert sum(lengths) / len(lengths) <= WORDS, max(sentences(page), key=len)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in WITHOUT_READERS], ids=name)
def test_a_page_says_first_for_whom_it_is_and_what_it_gives(page: Path) -> None:
    beginning = " ".join(prose(page)[:2])
    assert re.search(r"\bis for\b.*\bAfter reading\b", beginning), beginning


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_cell_of_a_table_is_a_page_of_its_own(page: Path) -> None:
    rows = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [cell for row in rows for cell in row.strip("|").split("|")]
    assert [cell for cell in cells if len(cell.split()) > CELL_WORDS] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]+))?\)", text):
        linked = page.parent / target if target else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), f"{target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """The names by which the headings of a page are linked to, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- \u0e00-\u0e7f]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("decision", DECIDED, ids=name)
def test_a_decision_has_its_parts(decision: Path) -> None:
    text = decision.read_text(encoding="utf-8")
    assert re.search(rf"^# {int(decision.name[:4])}\. ", text)
    assert re.search(r"^- Status: \w", text, re.MULTILINE)
    assert re.search(r"^- Date: \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS


def test_the_index_lists_every_decision() -> None:
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\d+)\]\(([\w-]+\.md)\) \| (.+) \| (\S+) \|$", index, re.MULTILINE)
    assert [int(number) for number, *_ in rows] == list(range(1, len(DECIDED) + 1))
    for (number, file_name, title, date), decision in zip(rows, DECIDED, strict=True):
        text = decision.read_text(encoding="utf-8")
        assert decision.name == file_name
        assert text.startswith(f"# {number}. {title}\n")
        assert f"- Date: {date}\n" in text
