"""The command ``cfx train``: trainings on the decisions of a user's own model."""

from .command import main as main
