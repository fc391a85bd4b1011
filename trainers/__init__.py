"""Trainings, one file per thing trained: ``train(cycle.TRAINER, cycle.Config(), ...)``."""

from .shared import Inputs as Inputs
from .shared import ModelFactory as ModelFactory
from .shared import OptimiserSettings as OptimiserSettings
from .shared import PlateauSettings as PlateauSettings
from .shared import RunSettings as RunSettings
from .shared import Trainer as Trainer
from .shared import TrainerConfig as TrainerConfig
from .shared import as_stored as as_stored
from .shared import count_steps as count_steps
from .shared import describe_length as describe_length
from .shared import digest as digest
from .shared import images_per_epoch as images_per_epoch
from .shared import load as load
from .shared import source_probabilities as source_probabilities
from .shared import train as train
from .shared import with_run as with_run
from .shared.supervised import SupervisedConfig as SupervisedConfig
from .shared.supervised import weights_digest as weights_digest
from .shared.supervised import with_pretrained as with_pretrained
