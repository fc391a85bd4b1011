"""The published sets as TensorFlow Datasets (TFDS) builders, for use by TFDS alone.

Importing this module makes them known to TFDS by their names, which are the keys of ``BUILDERS``:

    builder = tfds.builder("idrid", data_dir=folder, size=224)
    config = tfds.download.DownloadConfig(manual_dir=raw_folder)
    builder.download_and_prepare(download_config=config)
    examples = builder.as_data_source("images")

The sources of ``cfx_jax.data.sets`` drive the same builders.
"""

from cfx_jax.data.sets import (
    celeba,
    chexpert,
    deepdrid,
    idrid,
    ist3,
    kaggle,
    messidor,
    mosmed,
    msd,
    rsna,
)
from cfx_jax.data.sets.stored.builder import builder_class

_SETS = (kaggle, messidor, idrid, deepdrid, rsna, msd, chexpert, mosmed, ist3, celeba)

BUILDERS = {module.SPEC.stored_name: builder_class(module.SPEC) for module in _SETS}
