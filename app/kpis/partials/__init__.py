"""Figures kept ready: what mergeable measures add up to, for each identity, local day and month.

The ledger is the truth; everything here can be thrown away and is built again from it, with the same answers.
"""
