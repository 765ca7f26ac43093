"""What an officer of a province does with a spot-check: draw it, mark its records, hand it in;
and what a draw rests on after a reopening.

The drawing itself and its rows, on which certificates rest, are in models/certification.
"""
