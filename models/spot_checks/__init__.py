"""The province officer's operations on a spot-check (draw, mark, hand in), and the basis of a draw after a
reopening.

The drawing algorithm and the tables, on which certificates depend, are in models/certification.
"""
