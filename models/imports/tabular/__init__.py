"""Reads a CSV or XLSX file into clean rows of text with line numbers, in bounded memory (docs/contract.md, Import
files).

`problems`: what is reported to the author of the file. `cells`: the rules on one cell. `csv_source` and
`xlsx_source`: the two formats. Of a workbook, `package` reads the archive, `workbook` the sheets, shared strings
and styles, `sheet` the rows. `foreign`: recognizes files of other formats. `table`: headers and rows.
"""

from models.imports.tabular.problems import (
    MAX_PROBLEMS,
    BadCell,
    English,
    ImportRefused,
    Problem,
    Problems,
    alike,
    english,
    refuse,
    shown,
)
from models.imports.tabular.table import Column, Layout, Table, open_table, read_table

__all__ = [
    "MAX_PROBLEMS",
    "BadCell",
    "Column",
    "English",
    "ImportRefused",
    "Layout",
    "Problem",
    "Problems",
    "Table",
    "alike",
    "english",
    "open_table",
    "read_table",
    "refuse",
    "shown",
]
