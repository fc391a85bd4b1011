"""Ours beside the peers': the same computation by this library and by another one, on this machine.

``python -m benchmarks.peers`` runs them all; see ``__main__``.
"""
