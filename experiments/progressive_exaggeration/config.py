"""The settings of the experiment."""

from dataclasses import dataclass, field
from typing import Literal

from experiments.shared import AT_LEAST_1, SHARE, ImagesConfig
from trainers import multi_label as classifier_trainer
from trainers import progressive as explainer_trainer
from trainers import segmentation as segmentation_trainer
from trainers import vae as vae_trainer


@dataclass(frozen=True)
class XGEMConfig:
    """The search of xGEM in the latents of a variational autoencoder (all ours)."""

    num_steps: int = field(default=150, metadata=AT_LEAST_1)
    """Steps of Adam, at most."""
    learning_rate: float = 0.05
    """The learning rate of Adam, in units of the latent."""
    weight: float = 0.1
    """The weight of the cross-entropy of the other class against the mean squared error."""
    until: float = field(default=0.95, metadata=SHARE)
    """The search rests once the other class's probability is above it."""


@dataclass(frozen=True)
class HeartConfig:
    """The chapter "heart": synthetic radiographs, their classifier, explainer and segmentation.

    Where ``data`` is 'chest' itself, the study's own images, classifier and explainer are taken. Of
    the segmentation the paper says no more than UNet.
    """

    image_size: int = field(default=128, metadata=AT_LEAST_1)
    """Height and width of the radiographs, in pixels (paper: 128)."""
    num_images: int = field(default=5000, metadata=AT_LEAST_1)
    """Radiographs, over all parts."""
    classifier: classifier_trainer.Config = field(default_factory=classifier_trainer.Config)
    """Training of the classifier of cardiomegaly."""
    explainer: explainer_trainer.Config = field(default_factory=explainer_trainer.Config)
    """Training of its explainer."""
    segmentation: segmentation_trainer.Config = field(default_factory=segmentation_trainer.Config)
    """Training of the segmentation of lungs and heart, on the explainer's training images; classes
    and channels are set by the images."""


@dataclass(frozen=True)
class Config(ImagesConfig):
    """Images, a classifier of their labels, an explainer of one label, and the baseline."""

    preset: Literal["smoke", "demo", "images", "paper", "code"] = "demo"
    """smoke: proves that everything runs. demo: synthetic images, minutes on two cores. images: a
    folder of one's own images, see --data. paper: the published setting on the paper's data, for a
    GPU. code: the same with the explainer of the code that the authors released, which is another
    method (``trainers.progressive.CODE_HEAD``)."""
    data: str = "faces"
    """'faces' or 'chest' (cardiomegaly), synthetic worlds; 'folder:PATH', one's own images, one
    sub-folder or more for each of two classes, or a zip of such; 'csv:FILE', one's own images
    listed with the columns path, label, and optionally group, split; 'celeba:PATH' and
    'chexpert:PATH', CelebA and CheXpert as they are downloaded."""
    label: str = "smiling"
    """The label that is explained, of those that the images have; a folder has only the label of
    its last class, and 'chest' only cardiomegaly."""
    labels: tuple[str, ...] = ()
    """The labels that are read, of those that the images have, the explained one among them; empty:
    all.
    """
    one_label: bool = False
    """Whether every explained label has a classifier of its own, of that label alone (paper); else
    one has all labels.
    """
    normalisation: Literal["images", "unit"] = "images"
    """How classifiers normalise images: by moments of the training images (ours), or by 0.5 and
    0.5, which make [-1, 1] of [0, 1] (released)."""
    image_size: int = field(default=64, metadata=AT_LEAST_1)
    """Height and width of the images, in pixels (paper: 128)."""
    channels: Literal[1, 3] = 3
    """The channels of images in a folder: grey or coloured."""
    num_images: int = field(default=5000, metadata=AT_LEAST_1)
    """Images of a synthetic world, over all parts."""
    validation: float = field(default=0.08, metadata=SHARE)
    """Share of images for the selection of weights and of thresholds (paper: unsaid)."""
    test: float = field(default=0.12, metadata=SHARE)
    """Share of images for all reported figures; neither classifier nor explainer is trained on them
    (paper: unsaid; the released records have a tenth outside the classifier's training)."""
    mirrored: bool = True
    """Whether training images are mirrored left to right at random (paper: no); chests have a left
    and a right.
    """
    noise: float = 0.0
    """Largest standard deviation of noise on the classifiers' training images, drawn anew for each
    (ours). Without noise a small classifier's probability follows what the eye does not see."""
    classifier: classifier_trainer.Config = field(default_factory=classifier_trainer.Config)
    """Training of the classifier that is explained, one sigmoid for each label; labels, channels
    and normalisation are set by the images. A second one of another seed judges what the
    explanations show."""
    explainer: explainer_trainer.Config = field(default_factory=explainer_trainer.Config)
    """Training of encoder and conditional generator; channels are set by the images."""
    trainings: int = field(default=1, metadata=AT_LEAST_1)
    """Trainings of the explained label's explainer, and of either one of the chapter "bias", of one
    seed after the other. Claims about the explainer draw them with the queries; tables and figures
    show the first."""
    vae: vae_trainer.Config = field(default_factory=vae_trainer.Config)
    """Training of the autoencoder of xGEM; size and channels are set by the images."""
    xgem: XGEMConfig = field(default_factory=XGEMConfig)
    """The search of xGEM."""
    calibrated: int = 0
    """Images of each bin that an explainer is trained on, chosen so that the classifier is
    calibrated on them (released: 5,000); 0 takes all training images."""
    chapters: tuple[str, ...] = ()
    """The questions beyond the explained label, see ``chapters.CHAPTERS``."""
    attributes: tuple[str, ...] = ()
    """Labels that the chapter "attributes" explains (paper: six); empty: all."""
    discriminated: tuple[str, ...] = ()
    """Labels of the one classifier of the chapter "discrimination", each explained (paper: five);
    empty: all.
    """
    ablated: str = ""
    """The label that the chapter "ablation" explains (paper: young or old); empty: the explained
    one.
    """
    heart: HeartConfig = field(default_factory=HeartConfig)
    """Images and trainings of the chapter "heart"."""
    chapter_steps: int = 0
    """Steps of the explainers of chapters; 0 for as many as of the first one."""
    confounder: str = "male"
    """The label that the chapter "bias" binds to the explained one; CelebA's is 'Male'."""
    bias_likeness: float = 1.0
    """Prices of reconstruction and cycle in the chapter "bias", in units of the first explainer's
    (paper: 1).
    """
    bias_explained: int = 0
    """Test images that the chapter "bias" explains, at most, as many of either decision; 0 for
    those that are explained anyway."""
    bias_warm_start: bool = False
    """Whether both explainers of the chapter "bias" start from the first one's weights (ours, for
    short trainings).
    """
    human_items: tuple[int, int, int] = (0, 0, 0)
    """Queries of the three tasks of the questionnaire for people, for each label or classifier that
    is asked of (paper: 200, 100 and 200); 0 leaves a task out."""
    num_explained: int = 240
    """Test images that are explained, at most, as many of either decision."""
    inception: str = ""
    """File of Inception-v3's weights, for Fréchet distances that compare with published ones;
    without it the features come from the second classifier, and distances compare with each other
    alone."""
    recogniser: str = ""
    """The function that recognises faces, as MODULE:FUNCTION: it takes images (n, h, w, c), float32
    in [0, 1], and gives a vector for each, (n, d), whose cosine distance is below 0.5 for one
    person, as of networks trained on VGGFace2 (paper). Without it the features of the second
    classifier stand in, with a threshold from validation images."""
    collapsed: float = field(default=0.2, metadata=SHARE)
    """An explainer that turns over less than this share of either decision at the opposite extreme
    is reported as collapsed."""
    num_shown: int = 4
    """Images in figures and on the page of the knob, half of either decision."""
    batch_size: int = field(default=16, metadata=AT_LEAST_1)
    """Images explained at once; changes results by rounding only."""
    seed: int = 0
    """Seed of images and splits; the trainings have their own."""
    test_seed: int = 1_000
    """Seed of the synthetic world that the test images are of. The presets' settings were chosen on
    images of the world of seed 0, so a reported figure is of another; with the ``seed`` itself the
    test images are a part of the same world."""
