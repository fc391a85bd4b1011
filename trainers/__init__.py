"""Trainings, one file per thing trained: ``train(cycle.TRAINER, cycle.Config(), ...)``."""

from trainers.shared import Inputs as Inputs
from trainers.shared import ModelFactory as ModelFactory
from trainers.shared import OptimiserSettings as OptimiserSettings
from trainers.shared import PlateauSettings as PlateauSettings
from trainers.shared import RunSettings as RunSettings
from trainers.shared import Trainer as Trainer
from trainers.shared import TrainerConfig as TrainerConfig
from trainers.shared import count_steps as count_steps
from trainers.shared import describe_length as describe_length
from trainers.shared import digest as digest
from trainers.shared import images_per_epoch as images_per_epoch
from trainers.shared import load as load
from trainers.shared import source_probabilities as source_probabilities
from trainers.shared import train as train
from trainers.shared import with_run as with_run
from trainers.shared.supervised import SupervisedConfig as SupervisedConfig
from trainers.shared.supervised import weights_digest as weights_digest
from trainers.shared.supervised import with_pretrained as with_pretrained
