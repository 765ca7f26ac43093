"""Links between officers' chats and accounts: made by password or invitation, handed over, disputed, or ended.

The rights that a link gives are in models/accounts.
"""
