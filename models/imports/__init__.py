"""Imports of organizations, accounts and personnel from files (docs/contract.md, Import files), and of the
register that an organization's officer sends into the chat. `tabular` parses the file formats; what a register is
belongs to models/register.

Each import validates the whole file, compares it with the database, and reports all problems together
(ImportRefused) before it writes. Then it writes all rows in one transaction. With `dry_run` it writes nothing.
"""

from models.imports.accounts import import_accounts
from models.imports.common import ImportResult, Progress
from models.imports.organizations import OrganizationsResult, import_organizations
from models.imports.personnel import LeftOut, PersonnelResult, import_personnel
from models.imports.register_changes import RegisterChange
from models.imports.tabular import ImportRefused, Problem

__all__ = [
    "ImportRefused",
    "ImportResult",
    "LeftOut",
    "OrganizationsResult",
    "PersonnelResult",
    "Problem",
    "Progress",
    "RegisterChange",
    "import_accounts",
    "import_organizations",
    "import_personnel",
]
