"""How often something is compiled or traced, counted by JAX's own events."""

from contextlib import contextmanager

import jax

_COMPILED = "/jax/core/compile/backend_compile_duration"
_TRACED = "/jax/core/compile/jaxpr_trace_duration"


def counted_compilations():
    """Gives a list that gets an entry for each compilation inside of the block."""
    return _counted(_COMPILED)


def counted_traces():
    """Gives a list that gets an entry for each function that is traced inside of the block.

    Those that ``jax.eval_shape`` traces count too.
    """
    return _counted(_TRACED)


@contextmanager
def _counted(counted):
    events = []

    def listen(event, duration, **metadata):
        if event == counted:
            events.append(metadata)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield events
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
