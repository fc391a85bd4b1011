"""A paper's preset against the values that the paper and its authors' code give."""

import dataclasses

HOW_STEPS_ARE_COMPUTED = ("run.compute_dtype", "run.accumulate", "run.remat")
"""Settings of every training that no paper gives."""


def settings_of(config, prefix=""):
    """Yields the names, as on the command line, and values of all settings of a configuration."""
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), f"{prefix}{field.name}"
        if dataclasses.is_dataclass(value):
            yield from settings_of(value, f"{name}.")
        else:
            yield name, value


def check_published(preset, published, ours):
    """Checks that a preset has every published value, and that every other setting is named.

    Args:
        preset: the configuration.
        published: ``{name: (value, place)}``.
        ours: names of the settings that neither the paper nor its code gives.
    """
    settings = dict(settings_of(preset))
    ours = {*ours, *(name for name in settings if name.endswith(HOW_STEPS_ARE_COMPUTED))}
    assert settings.keys() == published.keys() | ours and not published.keys() & ours
    wrong = {
        name: settings[name] for name, (value, _) in published.items() if settings[name] != value
    }
    assert wrong == {} and all(place for _, place in published.values())
