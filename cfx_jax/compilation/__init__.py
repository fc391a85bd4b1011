"""Callables as arguments of jitted functions, and programs that are compiled once and shared."""

from cfx_jax.compilation.callables import as_pytree as as_pytree
from cfx_jax.compilation.callables import call as call
from cfx_jax.compilation.callables import compiled_in as compiled_in
from cfx_jax.compilation.callables import needs_values as needs_values
from cfx_jax.compilation.callables import shape_of as shape_of
from cfx_jax.compilation.callables import surrogates_of as surrogates_of
from cfx_jax.compilation.changes import SideEffectError as SideEffectError
from cfx_jax.compilation.persistent_cache import use_compilation_cache as use_compilation_cache
from cfx_jax.compilation.programs import compiled as compiled
from cfx_jax.compilation.programs import let_go_of_programs as let_go_of_programs
from cfx_jax.compilation.programs import num_mappings as num_mappings
from cfx_jax.public_names import public as _public

__all__, __dir__ = _public(globals())
