"""Trainings, one file per thing trained: frozen ``Config``, ``init``, ``make_step``, ``train``,
``load``.
"""
