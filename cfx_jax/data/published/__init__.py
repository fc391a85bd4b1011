"""What the readers and builders of published data sets share: tables of labels, checks of what was
downloaded, and sets that are stored once as ArrayRecord files by TensorFlow Datasets, without
TensorFlow.

``builder`` imports ``tensorflow_datasets`` and is therefore not imported here.
"""

from cfx_jax.data.published.listing import check_files as check_files
from cfx_jax.data.published.listing import check_names as check_names
from cfx_jax.data.published.pictures import read_picture as read_picture
from cfx_jax.data.published.source import StoredSet as StoredSet
from cfx_jax.data.published.source import open_or_build as open_or_build
from cfx_jax.data.published.tables import read_rows as read_rows
from cfx_jax.data.published.tables import whole_number as whole_number
from cfx_jax.faces import public as _public

__all__, __dir__ = _public(globals())
