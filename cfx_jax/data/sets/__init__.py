"""Published sets: of each a reader of the layout in which it is published, and a source.

A ``read_NAME`` lists a set. ``FundusSet``, ``RSNAPneumonia``, ``MSDBrainTumour``, ``CheXpert``,
``MosMed``, ``IST3`` and ``CelebA`` prepare its images once, store them as a TensorFlow Datasets set
in ArrayRecord files, and are then random-access sources. No TensorFlow is needed; ``builders``, for
those who use TensorFlow Datasets themselves, is the one module here that imports it.
"""

from cfx_jax.data.sets.celeba import CelebA as CelebA
from cfx_jax.data.sets.celeba import FaceRecord as FaceRecord
from cfx_jax.data.sets.celeba import crop_face as crop_face
from cfx_jax.data.sets.celeba import read_celeba as read_celeba
from cfx_jax.data.sets.chexpert import CheXpert as CheXpert
from cfx_jax.data.sets.chexpert import CheXpertRecord as CheXpertRecord
from cfx_jax.data.sets.chexpert import read_chexpert as read_chexpert
from cfx_jax.data.sets.deepdrid import read_deepdrid as read_deepdrid
from cfx_jax.data.sets.fundus import FundusSet as FundusSet
from cfx_jax.data.sets.fundus import LabelledFundus as LabelledFundus
from cfx_jax.data.sets.fundus import label_by_grade as label_by_grade
from cfx_jax.data.sets.fundus import label_by_quality as label_by_quality
from cfx_jax.data.sets.idrid import read_idrid as read_idrid
from cfx_jax.data.sets.ist3 import IST3 as IST3
from cfx_jax.data.sets.ist3 import StrokeRecord as StrokeRecord
from cfx_jax.data.sets.ist3 import read_ist3 as read_ist3
from cfx_jax.data.sets.kaggle import read_kaggle as read_kaggle
from cfx_jax.data.sets.messidor import read_messidor as read_messidor
from cfx_jax.data.sets.mosmed import MosMed as MosMed
from cfx_jax.data.sets.mosmed import MosMedRecord as MosMedRecord
from cfx_jax.data.sets.mosmed import read_mosmed as read_mosmed
from cfx_jax.data.sets.msd import BrainRecord as BrainRecord
from cfx_jax.data.sets.msd import MSDBrainTumour as MSDBrainTumour
from cfx_jax.data.sets.msd import read_msd_brain as read_msd_brain
from cfx_jax.data.sets.rsna import ChestRecord as ChestRecord
from cfx_jax.data.sets.rsna import RSNAPneumonia as RSNAPneumonia
from cfx_jax.data.sets.rsna import read_rsna as read_rsna
from cfx_jax.data.sets.stored.fundus_records import FundusRecord as FundusRecord
from cfx_jax.data.sets.stored.stored_set import StoredSet as StoredSet
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
