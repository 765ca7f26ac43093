"""Files that bring in organizations, accounts and personnel (docs/contract.md, Import files), and the register
that an organization sends by chat. What a register is belongs to models/register; the formats are read in tabular.

Each validates the whole file and compares it with the database before anything is written; every problem is
reported together (ImportRefused). Then all rows are written in one transaction, or none. With `dry_run` nothing
is written at all.
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
