"""Training that can be stopped at any moment and goes on as if it had not been stopped."""

from cfx_jax.public_names import public as _public
from cfx_jax.training.checkpoint import Checkpoint as Checkpoint
from cfx_jax.training.checkpoint import CheckpointStore as CheckpointStore
from cfx_jax.training.checkpoint import has_checkpoint as has_checkpoint
from cfx_jax.training.loop import Batches as Batches
from cfx_jax.training.loop import FitResult as FitResult
from cfx_jax.training.loop import fit as fit
from cfx_jax.training.metrics_writer import MetricsWriter as MetricsWriter
from cfx_jax.training.selection import Ties as Ties
from cfx_jax.training.step_clock import Durations as Durations
from cfx_jax.training.workdir import load_config as load_config

__all__, __dir__ = _public(globals())
