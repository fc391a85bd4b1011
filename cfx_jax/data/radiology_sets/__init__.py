"""Public sets of chest radiographs and magnetic resonance images of the brain, with what
radiologists marked.

A ``read_NAME`` lists a set in the layout in which it is published; ``RSNAPneumonia``,
``MSDBrainTumour`` and ``CheXpert`` prepare its images once, store them as a TensorFlow Datasets set
in ArrayRecord files, and are then random-access sources of two classes. No TensorFlow is needed.
The builders are in ``builder`` and ``chexpert_builder``, which import ``tensorflow_datasets``.
"""

from cfx_jax.data.radiology_sets.chexpert import CheXpertRecord as CheXpertRecord
from cfx_jax.data.radiology_sets.chexpert import read_chexpert as read_chexpert
from cfx_jax.data.radiology_sets.chexpert_source import CheXpert as CheXpert
from cfx_jax.data.radiology_sets.ct_source import IST3 as IST3
from cfx_jax.data.radiology_sets.ct_source import MosMed as MosMed
from cfx_jax.data.radiology_sets.ist3 import StrokeRecord as StrokeRecord
from cfx_jax.data.radiology_sets.ist3 import read_ist3 as read_ist3
from cfx_jax.data.radiology_sets.mosmed import MosMedRecord as MosMedRecord
from cfx_jax.data.radiology_sets.mosmed import read_mosmed as read_mosmed
from cfx_jax.data.radiology_sets.msd import BrainRecord as BrainRecord
from cfx_jax.data.radiology_sets.msd import read_msd_brain as read_msd_brain
from cfx_jax.data.radiology_sets.patients import split_patients as split_patients
from cfx_jax.data.radiology_sets.rsna import ChestRecord as ChestRecord
from cfx_jax.data.radiology_sets.rsna import read_rsna as read_rsna
from cfx_jax.data.radiology_sets.source import MSDBrainTumour as MSDBrainTumour
from cfx_jax.data.radiology_sets.source import RSNAPneumonia as RSNAPneumonia
from cfx_jax.faces import public as _public

__all__, __dir__ = _public(globals())
