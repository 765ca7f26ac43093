"""Reading a CSV or XLSX file into clean rows of text, each with its line number, in little memory.

`problems` holds what is reported to whoever made the file, `cells` the rules on one cell, `csv_source` and
`xlsx_source` the two formats, `table` the headers and rows (docs/contract.md, Import files).
"""

from models.imports.tabular.problems import (
    MAX_PROBLEMS,
    BadCell,
    English,
    ImportRefused,
    Problem,
    Problems,
    english,
    refuse,
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
    "english",
    "open_table",
    "read_table",
    "refuse",
]
