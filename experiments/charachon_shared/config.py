"""The settings that both experiments have."""

from dataclasses import dataclass, field
from typing import Literal

from experiments.shared import AT_LEAST_1, SHARE, ImagesConfig
from trainers import classifier as classifier_trainer
from trainers import mask_generator as mask_trainer
from trainers import similar_adversarial as pair_trainer


@dataclass(frozen=True)
class CharachonConfig(ImagesConfig):
    """Images, classifier, the generators that both experiments train, and how maps are measured."""

    preset: Literal["smoke", "demo", "images", "paper"] = "demo"
    """smoke: proves that everything runs. demo: synthetic images, minutes on two cores. images: a
    folder of one's own images, see --data. paper: the published setting on the paper's data, for a
    GPU."""
    data: str = "brain"
    """'chest' or 'brain', synthetic worlds; 'rsna:PATH' or 'msd:PATH', the RSNA pneumonia set or
    the brain tumours of the Medical Segmentation Decathlon as they are downloaded; 'folder:PATH',
    one's own images, one sub-folder or more for each class, or a zip of such; 'csv:FILE', one's own
    images listed with the columns path, label, and optionally group, split, mask."""
    organ: Literal["none", "found", "only", "removed"] = "none"
    """The organ in the middle of one's own images, as cfx_jax.data.find_organ finds it, such as the
    brain in slices of heads. found: tables say what the classifier reads from it and from its
    surroundings, and how much of each map lies outside of it. only: the same, with the surroundings
    black. removed: the same, with the organ black.
    """
    image_size: int = field(default=64, metadata=AT_LEAST_1)
    """Height and width of the images, in pixels (paper: 224)."""
    num_images: int = field(default=4000, metadata=AT_LEAST_1)
    """Images of a synthetic world, over all parts."""
    validation: float | None = field(default=0.1, metadata=SHARE)
    """Share of images for the selection of weights, of patients where they are known. None: the
    share of the published split, 1,495 of RSNA's 14,863 images, 48 of MSD's 484 patients; a tenth
    of other images."""
    test: float | None = field(default=0.2, metadata=SHARE)
    """Share of images for all reported figures, of patients where they are known. None: the share
    of the published split, 1,451 of RSNA's images, 73 of MSD's patients; a tenth of other
    images."""
    augmentation: Literal["none", "light", "published"] = "light"
    """The augmentation of all trainings. light: mirrored left to right at random, shifted by up to
    a sixteenth. published: rotated, shifted, magnified and turned upside down; the ranges are the
    ranges of table II of Charachon et al. 2020."""
    classifier: classifier_trainer.Config = field(default_factory=classifier_trainer.Config)
    """Training of the classifier that is explained; classes, channels and normalisation are set by
    the images. The papers start from ImageNet's weights, which --classifier.weights FILE names."""
    head: Literal["linear", "finding"] = "linear"
    """End of the classifier: one linear layer; or dropout and a hidden layer of 128 (Charachon et
    al. 2021).
    """
    similar_adversarial: pair_trainer.Config = field(default_factory=pair_trainer.Config)
    """Training of the generators of a similar and an adversarial image, Single AE2 (W,TV); channels
    are set by the images."""
    mask_generator: mask_trainer.Config = field(default_factory=mask_trainer.Config)
    """Training of the Mask Generator."""
    num_nodes: int = field(default=50, metadata=AT_LEAST_1)
    """Nodes of every integral along a path (paper: 50)."""
    num_samples: int = field(default=50, metadata=AT_LEAST_1)
    """Noisy copies of SmoothGrad (ours: 50)."""
    num_perturbation_steps: int = field(default=150, metadata=AT_LEAST_1)
    """Steps of the mask perturbation, BBMP (paper: 150)."""
    num_perceptual_steps: int = field(default=300, metadata=AT_LEAST_1)
    """Steps of the perceptual perturbation, of Adam (released code: 100 to 200 of L-BFGS)."""
    num_explained: int = 200
    """Annotated test images whose explanations are compared with their annotations, at most."""
    batch_size: int = field(default=32, metadata=AT_LEAST_1)
    """Images explained at once; changes results by rounding only."""
    seed: int = 0
    """Seed of images, splits and random maps; the trainings have their own."""
