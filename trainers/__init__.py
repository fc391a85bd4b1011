"""Trainings, one file per thing trained: ``train(cycle.TRAINER, cycle.Config(), ...)``."""

from trainers.shared.batches import source_probabilities as source_probabilities
from trainers.shared.identity import digest as digest
from trainers.shared.networks import ModelFactory as ModelFactory
from trainers.shared.optimisers import OptimiserSettings as OptimiserSettings
from trainers.shared.optimisers import PlateauSettings as PlateauSettings
from trainers.shared.run import Inputs as Inputs
from trainers.shared.run import Trainer as Trainer
from trainers.shared.run import TrainerConfig as TrainerConfig
from trainers.shared.run import load as load
from trainers.shared.run import train as train
from trainers.shared.settings import RunSettings as RunSettings
from trainers.shared.settings import count_steps as count_steps
from trainers.shared.settings import describe_length as describe_length
from trainers.shared.settings import images_per_epoch as images_per_epoch
from trainers.shared.settings import with_run as with_run
from trainers.shared.supervised import SupervisedConfig as SupervisedConfig
from trainers.shared.supervised import weights_digest as weights_digest
from trainers.shared.supervised import with_pretrained as with_pretrained
