"""Experiments: each rebuilds one paper's tables, figures and claims, as
``python -m experiments.NAME``.
"""
