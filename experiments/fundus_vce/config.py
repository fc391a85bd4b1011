"""The settings of the experiment, as ``--help`` shows them."""

from dataclasses import dataclass, field
from typing import Literal

from experiments.shared import AT_LEAST_1, SHARE, ImagesConfig, InputError, limits
from trainers import classifier, trades


@dataclass(frozen=True)
class SyntheticConfig:
    """The synthetic worlds, where ``data`` is 'synthetic'."""

    num_images: int = field(default=8000, metadata=AT_LEAST_1)
    """Images that are split into training, validation, calibration and test."""
    severity: float = 1.0
    """Strength of the lesions: 1 is as documented in cfx_jax.data.SyntheticFundus."""
    ungradable: float = field(default=0.1, metadata=SHARE)
    """Share of those images that cannot be graded, for the quality filter to find."""
    num_external: int = field(default=400, metadata=AT_LEAST_1)
    """Images of the external test set: other eyes."""
    external_severity: float = 0.8
    """Strength of the lesions there: they are fainter."""


@dataclass(frozen=True)
class QualityConfig:
    """The filter that leaves out photographs which cannot be graded."""

    num_members: int = 5
    """Networks in the ensemble (paper: several EfficientNets); 0 leaves the filter out."""
    num_images: int = field(default=1600, metadata=AT_LEAST_1)
    """Labelled images of the synthetic world (the challenge that the paper uses: 1,600 regular
    photographs).
    """
    training: classifier.Config = field(
        default_factory=lambda: classifier.Config(model="efficientnet_b0")
    )
    """Training of each; classes, channels and normalisation are set by the images."""


@dataclass(frozen=True)
class RobustAccuracyConfig:
    """How robust accuracy is measured."""

    radius: float = 0.1
    """l2 radius of the attack, in units of the image's values (paper: 0.1 at 224 x 224 x 3)."""
    num_steps: int = field(default=100, metadata=AT_LEAST_1)
    """APGD steps of each restart (paper: 100)."""
    num_restarts: int = field(default=9, metadata=AT_LEAST_1)
    """Random restarts; later ones see only images not yet broken (paper: 9)."""
    num_images: int = 1000
    """Images attacked of each test set, the first of its shuffled images; 0 for all of them (paper:
    "the fraction of test inputs"; released code: the first 1000)."""


@dataclass(frozen=True)
class ExplanationConfig:
    """Settings of the counterfactuals and maps."""

    norms: tuple[float, ...] = field(
        default=(1.5, 2.0, 4.0),
        metadata=limits(least=1, may_be_infinite=True, may_be_empty=False),
    )
    """Norms p of the counterfactuals (paper: 1.5, 2, 4)."""
    radii: tuple[float, ...] = (30.0, 6.0, 0.2)
    """Radius for each norm (paper: 30, 6, 0.2 at 224 x 224 x 3): of all counterfactuals that are
    shown or counted. Maps that are compared with lesions have radii of their own, see
    localisation.radius_factors."""
    sweep: tuple[float, ...] = field(
        default=(0.1, 0.2, 0.3, 0.4), metadata=limits(may_be_empty=False)
    )
    """Ascending radii of the last norm, along which figures and animations go (paper: 0.1 to 0.4).
    """
    num_steps: int = field(default=75, metadata=AT_LEAST_1)
    """Steps of each counterfactual (released code: 75)."""
    mask_after_oracle: bool = False
    """Whether Auto-Frank-Wolfe solves for the whole image and obeys the eye's mask afterwards, as
    the released code does (paper, equation 3: within the mask)."""
    integration_steps: int = field(default=100, metadata=AT_LEAST_1)
    """Nodes of integrated gradients (ours: 100)."""
    num_studied: int = field(default=50, metadata=limits(least=2))
    """Test images of each class whose counterfactuals the claims are about, at least 2."""
    num_shown: int = 4
    """The number of these images of each class in the overview figures."""

    def check(self) -> None:
        """Checks that there is a radius above 0 for each norm, and that those of figures ascend.

        Raises:
            InputError: they do not.
        """
        if len(self.radii) != len(self.norms) or min(self.radii) == 0:
            raise InputError(
                f"explanations.radii: expected a radius above 0 for each of the {len(self.norms)}"
                f" norms, got {self.radii}"
            )
        if self.sweep[0] == 0 or sorted({*self.sweep}) != [*self.sweep]:
            raise InputError(
                f"explanations.sweep: expected ascending radii above 0, got {self.sweep}"
            )

    @property
    def radius_by_norm(self) -> dict[float, float]:
        """The radius for each norm."""
        return dict(zip(self.norms, self.radii, strict=True))


@dataclass(frozen=True)
class LocalisationConfig:
    """How maps are compared with lesion masks."""

    num_tuning: int = 40
    """Images on which quantiles, radii and the norm are chosen, never scored (paper: 40); 0 takes
    those given.
    """
    num_scored: int = 41
    """Other images, on which the overlap is measured (paper: 41)."""
    quantiles: tuple[float, ...] = field(
        default=(0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.98, 0.99),
        metadata=limits(most=1, may_be_empty=False),
    )
    """Thresholds to choose from, one for each method (ours)."""
    radius_factors: tuple[float, ...] = field(
        default=(0.5, 1.0, 2.0), metadata=limits(may_be_empty=False)
    )
    """Radii of the maps that are compared with lesions, to choose from, in units of each norm's own
    radius (ours; paper: "different radii per norm").
    """
    quantile_guided: float = field(default=0.98, metadata=SHARE)
    """Threshold of guided backprop where none is chosen (paper: 0.98)."""
    quantile_integrated: float = field(default=0.96, metadata=SHARE)
    """Threshold of integrated gradients where none is chosen (paper: 0.96)."""
    quantile_vce: float = field(default=0.96, metadata=SHARE)
    """Threshold of the counterfactuals' maps where none is chosen, and in figures (paper: 0.96)."""


@dataclass(frozen=True)
class Config(ImagesConfig):
    """Trains a plain and a robust classifier, joins them, explains them, and reports what holds."""

    preset: Literal["smoke", "demo", "images", "paper"] = "demo"
    """smoke: proves that everything runs. demo: synthetic fundus images, minutes on two cores.
    images: a folder of one's own images, see --data. paper: the published setting on the paper's
    data sets, for a GPU."""
    data: str = "synthetic"
    """'synthetic'; 'folder:PATH', one's own images, one sub-folder or more for each class, or a zip
    of such; 'csv:FILE', one's own images listed with the columns path, label, and optionally group,
    split; or 'fundus:PATH' where PATH holds the paper's data sets as they are downloaded, in
    kaggle, messidor, idrid and deepdrid."""
    image_size: int = field(default=64, metadata=AT_LEAST_1)
    """Height and width to which images are resized, in pixels (paper: 224)."""
    channels: Literal[1, 3] = 3
    """1 for grey images, 3 for colour (paper: 3)."""
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)
    """The synthetic worlds."""
    validation: float = field(default=0.15, metadata=SHARE)
    """Share of images for the selection of weights (paper: 0.15)."""
    temperature: float = field(default=0.04, metadata=SHARE)
    """Share of images for the calibration (paper: 0.04)."""
    calibration: Literal["ece", "likelihood"] = "ece"
    """How temperatures are fitted: ece, the least expected calibration error (paper), runs to the
    edge of its grid where every calibration image is classified right; likelihood does not."""
    test: float = field(default=0.06, metadata=SHARE)
    """Share of images for all reported figures (paper: 0.06)."""
    quality: QualityConfig = field(default_factory=QualityConfig)
    """The quality filter; left out for 'folder:PATH'."""
    augmentation: Literal["none", "light", "murat"] = "light"
    """light: mirrored left to right at random, shifted by up to a sixteenth. murat: the paper's,
    strong in colour and place."""
    plain: classifier.Config = field(default_factory=classifier.Config)
    """Training of the plain classifier; classes, channels and normalisation are set by the data."""
    fine_tune: bool = True
    """Whether the plain classifier is trained on by fine_tuning (paper: yes)."""
    plain_weights: Literal["best", "last"] = "best"
    """best: the plain classifier has the weights of highest balanced accuracy on the validation
    images, of its first training or of the fine-tuning (paper, section 2.2). last: those at the end
    of the fine-tuning (released code)."""
    fine_tuning: classifier.Config = field(default_factory=lambda: classifier.FINE_TUNING)
    """Second training of the plain classifier (paper: 3 epochs, one triangle of the learning rate).
    """
    robust: trades.Config = field(default_factory=trades.Config)
    """Training of the robust classifier; classes, channels and normalisation are set by the data.
    """
    robust_accuracy: RobustAccuracyConfig = field(default_factory=RobustAccuracyConfig)
    """Measurement of robust accuracy."""
    explanations: ExplanationConfig = field(default_factory=ExplanationConfig)
    """Counterfactuals and maps."""
    localisation: LocalisationConfig = field(default_factory=LocalisationConfig)
    """Comparison with lesion masks, where the data have them."""
    batch_size: int = field(default=64, metadata=AT_LEAST_1)
    """Images attacked or explained at once; changes results by rounding only."""
    seed: int = 0
    """Seed of images, splits and the random starts of searches; the trainings have their own."""
