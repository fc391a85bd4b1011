"""The settings that experiments share, with their texts for ``--help``."""

import math
from dataclasses import dataclass, field

from cfx_jax.checks import limits

AT_LEAST_1 = limits(least=1)
SHARE = limits(most=1)


@dataclass(frozen=True)
class ExperimentConfig:
    """The preset and the folders of an experiment."""

    preset: str = "demo"
    """The preset from which the settings come."""
    results: str = "results"
    """Folder of the report, in RESULTS/EXPERIMENT/PRESET."""
    work: str = "work"
    """Folder of trained models and intermediate results; a second start reads them from there."""


@dataclass(frozen=True)
class ImagesConfig(ExperimentConfig):
    """The images of an experiment, which may be a user's own."""

    data: str = ""
    """The kind of images, as KIND or KIND:PATH."""
    classes: tuple[str, ...] = ()
    """One's own classes in the order of the labels; the last is the finding that is explained.
    LABEL, LABEL=NAME or LABEL+LABEL=NAME, where a label is a sub-folder's name or stands in the
    table. Empty: the two that there are, by name."""
    groups: str = ""
    """The images of one's own that belong together, such as a patient's, which no split divides:
    'folder', the folder that each lies in; 'column:NAME' of a table; or a pattern with one group
    that is searched for in the files' names, e.g. '(patient[0-9]+)'. Empty: a table's column group,
    or the slices of each volume."""
    window: tuple[float, float] | None = field(default=None, metadata=limits(least=-math.inf))
    """Centre and width of the values of one's own images that are shown, in the files' numbers.
    None: as the files say; 12 bits in files of 16 are found."""
