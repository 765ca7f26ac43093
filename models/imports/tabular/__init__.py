"""Reading a CSV or XLSX file into clean rows of text, each with its line number, in little memory.

`problems` holds what is reported to whoever made the file, `cells` the rules on one cell, `csv_source` and
`xlsx_source` the two formats (of a workbook `package` holds the archive, `workbook` what it says beside its rows,
`sheet` the rows), `foreign` what a file is instead, `table` headers and rows (docs/contract.md, Import files).
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
