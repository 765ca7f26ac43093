"""The audit chains: append-only events, each with a keyed hash over itself and the event before it; and row seals:
when one is made and compared (`row_seal`; models/security/row_seal.py computes it), and whether an older row was
put back (`replay`).

`event_chain` also refuses a secret key that the newest event does not know; bot/service/opening.py asks it.
The module of an operation records its event. models/verification compares the tables with the events.
"""
