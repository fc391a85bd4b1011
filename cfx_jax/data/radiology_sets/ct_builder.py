"""MosMed and IST-3 as TensorFlow Datasets (TFDS) builders, which need no TensorFlow to build or to
read.
"""

import functools
from collections.abc import Mapping
from typing import Any

from cfx_jax.data.hounsfield import BRAIN, LUNG
from cfx_jax.data.radiology_sets import ist3, mosmed
from cfx_jax.data.radiology_sets.mosmed import MosMedRecord
from cfx_jax.data.radiology_sets.scan_builder import ScanBuilder


class MosMedScans(ScanBuilder):
    """The studies of MosMed, see ``read_mosmed``: all grades but CT-1, of which those with a mask."""

    name = "mosmed_covid19_1110"
    page = mosmed.PAGE
    window = LUNG
    most_marks = 1
    read = staticmethod(mosmed.read_mosmed)
    digest = staticmethod(mosmed.digest)

    @staticmethod
    def is_used(record: MosMedRecord) -> bool:
        """Whether a study becomes part of the set."""
        return record.is_used


class IST3Scans(ScanBuilder):
    """Scans of IST-3, see ``read_ist3``.

    Args:
        columns: see ``read_ist3``.
        options: what ``ScanBuilder`` takes.
    """

    name = "ist3_scans"
    page = ist3.PAGE
    window = BRAIN
    most_marks = len(ist3.TERRITORIES)
    read = staticmethod(ist3.read_ist3)
    digest = staticmethod(ist3.digest)

    def __init__(self, *, columns: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._arguments["columns"] = columns
        self.read = functools.partial(ist3.read_ist3, columns=columns)
