"""The former name of ``experiments.shared.report``, until every paper uses the new one."""

from experiments.shared.report import provenance as provenance
