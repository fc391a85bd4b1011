"""How often something is compiled, counted by JAX's own events."""

from contextlib import contextmanager

import jax

_EVENT = "/jax/core/compile/backend_compile_duration"


@contextmanager
def counted_compilations():
    """Gives a list that gets an entry for each compilation inside of the block."""
    events = []

    def listen(event, duration, **metadata):
        if event == _EVENT:
            events.append(metadata)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield events
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
