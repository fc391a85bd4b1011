"""How the methods of ``explain`` are run."""

from dataclasses import dataclass

from cfx_jax.checks import check_between_0_and_1, check_count, check_norm, check_positive
from cfx_jax.counterfactuals import VCEProblem
from cfx_jax.errors import InputError


@dataclass(frozen=True)
class Settings:
    """How the methods are run.

    Attributes:
        p: norm of a counterfactual's change, at least 1 or inf.
        radius: largest norm of the change of ``vce``, above 0, in the units of an image in [0, 1].
        largest_radius: where ``smallest`` stops to look, above 0.
        probability: what the target class is to reach by ``smallest``, between 0 and 1.
        num_steps: of a search for a counterfactual.
        num_nodes: of integrated gradients.
        num_samples: noisy images of SmoothGrad.
        radii: shares of the radius, increasing, between 0 and 1, at which ``vce`` is searched too;
            each costs one search more.
        layer: the name of the layer whose feature maps the class activation maps show; None in
            calls without such a map.
        occlusion_window: side in pixels of the square that occlusion hides, moved by half of it;
            None takes an eighth of the image's shorter side.

    Raises:
        InputError: a value out of range.
    """

    p: float
    radius: float
    largest_radius: float
    probability: float = 0.9
    num_steps: int = VCEProblem.num_steps
    num_nodes: int = 50
    num_samples: int = 50
    radii: tuple[float, ...] = (0.25, 0.5)
    layer: str | None = None
    occlusion_window: int | None = None

    def __post_init__(self) -> None:
        check_norm(self.p)
        check_positive(self.radius, name="radius")
        check_positive(self.largest_radius, name="largest_radius")
        check_between_0_and_1(self.probability, name="probability")
        for name in ("num_steps", "num_nodes", "num_samples"):
            check_count(getattr(self, name), name=name)
        for share in self.radii:
            check_between_0_and_1(share, name="radii")
        if list(self.radii) != sorted(set(self.radii)):
            raise InputError(f"radii: expected shares that increase, got {list(self.radii)}")
        check_count(self.occlusion_window, name="occlusion_window", or_none=True)
