"""The former name of ``experiments.shared.schedule``, until every paper uses the new one."""

from experiments.shared.schedule import training_schedule as times

__all__ = ["times"]
