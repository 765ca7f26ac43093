"""How an officer's chat is linked to an account, by password or invitation, handed over, disputed, or ended.

The rights that a link gives are in models/accounts.
"""
