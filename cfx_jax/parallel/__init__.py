"""Data parallelism over devices and hosts, and what several processes of one run agree on."""

from cfx_jax.parallel.consensus import check_same as check_same
from cfx_jax.parallel.consensus import check_same_folder as check_same_folder
from cfx_jax.parallel.consensus import first_decides as first_decides
from cfx_jax.parallel.consensus import first_process_locks as first_process_locks
from cfx_jax.parallel.consensus import first_then_others as first_then_others
from cfx_jax.parallel.consensus import wait_for_all as wait_for_all
from cfx_jax.parallel.consensus import wait_for_file as wait_for_file
from cfx_jax.parallel.exit_status import CAN_GO_ON as CAN_GO_ON
from cfx_jax.parallel.exit_status import status_of as status_of
from cfx_jax.parallel.map_examples import Batch as Batch
from cfx_jax.parallel.map_examples import Batches as Batches
from cfx_jax.parallel.map_examples import ExampleMap as ExampleMap
from cfx_jax.parallel.map_examples import apply_to_examples as apply_to_examples
from cfx_jax.parallel.map_examples import batches as batches
from cfx_jax.parallel.map_examples import concatenate as concatenate
from cfx_jax.parallel.map_examples import example_keys as example_keys
from cfx_jax.parallel.map_examples import map_examples as map_examples
from cfx_jax.parallel.process_group import end_run as end_run
from cfx_jax.parallel.process_group import is_alone as is_alone
from cfx_jax.parallel.process_group import is_first_process as is_first_process
from cfx_jax.parallel.process_group import this_run as this_run
from cfx_jax.parallel.process_group import wait_for_verdict as wait_for_verdict
from cfx_jax.parallel.progress_bar import print_note as print_note
from cfx_jax.parallel.progress_bar import progress_bar as progress_bar
from cfx_jax.parallel.progress_bar import tell as tell
from cfx_jax.parallel.progress_bar import tell_memory as tell_memory
from cfx_jax.parallel.progress_bar import tell_stage as tell_stage
from cfx_jax.parallel.sharding import AXIS as AXIS
from cfx_jax.parallel.sharding import batch_sharding as batch_sharding
from cfx_jax.parallel.sharding import data_mesh as data_mesh
from cfx_jax.parallel.sharding import gather as gather
from cfx_jax.parallel.sharding import is_local as is_local
from cfx_jax.parallel.sharding import local_copy as local_copy
from cfx_jax.parallel.sharding import mesh_or_all_devices as mesh_or_all_devices
from cfx_jax.parallel.sharding import num_examples as num_examples
from cfx_jax.parallel.sharding import replicate as replicate
from cfx_jax.parallel.sharding import shard as shard
from cfx_jax.parallel.sharding import shard_local as shard_local
from cfx_jax.parallel.start import DISTRIBUTED_HELP as DISTRIBUTED_HELP
from cfx_jax.parallel.start import start_distributed as start_distributed
from cfx_jax.parallel.start import start_from_arguments as start_from_arguments
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
