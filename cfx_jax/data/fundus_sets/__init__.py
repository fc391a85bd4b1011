"""Public sets of fundus photographs with grades of diabetic retinopathy, lesion masks or
assessments of quality.

A ``read_NAME`` lists a set in the layout in which it is published; ``FundusSet`` prepares its
photographs once, stores them as a TensorFlow Datasets set in ArrayRecord files, and is then a
random-access source; ``labelled`` and ``quality_labelled`` turn it into a source of two classes. No
TensorFlow is needed. The builders are in ``cfx_jax.data.fundus_sets.builder``, which imports
``tensorflow_datasets``.
"""

from cfx_jax.data.fundus_sets.deepdrid import read_deepdrid as read_deepdrid
from cfx_jax.data.fundus_sets.idrid import read_idrid as read_idrid
from cfx_jax.data.fundus_sets.kaggle import read_kaggle as read_kaggle
from cfx_jax.data.fundus_sets.labelled import LabelledFundus as LabelledFundus
from cfx_jax.data.fundus_sets.labelled import labelled as labelled
from cfx_jax.data.fundus_sets.labelled import quality_labelled as quality_labelled
from cfx_jax.data.fundus_sets.messidor import read_messidor as read_messidor
from cfx_jax.data.fundus_sets.record import FundusRecord as FundusRecord
from cfx_jax.data.fundus_sets.source import FundusSet as FundusSet
from cfx_jax.faces import public as _public

__all__, __dir__ = _public(globals())
