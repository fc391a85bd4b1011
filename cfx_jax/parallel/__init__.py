"""Data parallelism over devices and hosts, and what several processes of one run agree on."""

from cfx_jax.faces import public as _public
from cfx_jax.parallel.agreement import check_same as check_same
from cfx_jax.parallel.agreement import check_same_folder as check_same_folder
from cfx_jax.parallel.agreement import first_decides as first_decides
from cfx_jax.parallel.agreement import first_process_locks as first_process_locks
from cfx_jax.parallel.agreement import first_then_others as first_then_others
from cfx_jax.parallel.agreement import wait_for_all as wait_for_all
from cfx_jax.parallel.agreement import wait_for_file as wait_for_file
from cfx_jax.parallel.examples import AXIS as AXIS
from cfx_jax.parallel.examples import Batch as Batch
from cfx_jax.parallel.examples import Batches as Batches
from cfx_jax.parallel.examples import ExampleMap as ExampleMap
from cfx_jax.parallel.examples import batches as batches
from cfx_jax.parallel.examples import concatenate as concatenate
from cfx_jax.parallel.examples import data_mesh as data_mesh
from cfx_jax.parallel.examples import example_keys as example_keys
from cfx_jax.parallel.examples import gather as gather
from cfx_jax.parallel.examples import is_local as is_local
from cfx_jax.parallel.examples import local_copy as local_copy
from cfx_jax.parallel.examples import map_examples as map_examples
from cfx_jax.parallel.examples import num_examples as num_examples
from cfx_jax.parallel.examples import replicate as replicate
from cfx_jax.parallel.examples import shard as shard
from cfx_jax.parallel.examples import shard_local as shard_local
from cfx_jax.parallel.hosts import DISTRIBUTED_HELP as DISTRIBUTED_HELP
from cfx_jax.parallel.hosts import start_distributed as start_distributed
from cfx_jax.parallel.hosts import start_from_arguments as start_from_arguments
from cfx_jax.parallel.progress import print_note as print_note
from cfx_jax.parallel.progress import progress_bar as progress_bar
from cfx_jax.parallel.progress import tell as tell
from cfx_jax.parallel.progress import tell_memory as tell_memory
from cfx_jax.parallel.progress import tell_stage as tell_stage
from cfx_jax.parallel.run import end_run as end_run
from cfx_jax.parallel.run import is_alone as is_alone
from cfx_jax.parallel.run import is_first_process as is_first_process
from cfx_jax.parallel.run import this_run as this_run
from cfx_jax.parallel.run import wait_for_verdict as wait_for_verdict

__all__, __dir__ = _public(globals())
