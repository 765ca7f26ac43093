"""Operations of the operator: close and open rounds, erase an officer's data, seal rows, also under a
new secret key (`sealing`; how PINs move is in models/accounts, `pin`), list incomplete organizations.

Operations on one account are in models/links, on one organization in models/certification.
"""
