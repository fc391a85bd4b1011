"""Results of the first experiment made by hand, for tests of its claims, tables and figures."""

import numpy as np

from cfx_jax.counterfactuals import Counterfactual
from experiments.fundus_vce.accuracy import Evaluation
from experiments.fundus_vce.counterfactuals import Explained
from experiments.fundus_vce.data import Data
from experiments.fundus_vce.localisation import ABLATIONS, Localised
from experiments.fundus_vce.study import Study
from experiments.fundus_vce.typical_image import TypicalImage
from experiments.shared import ImageSet, StoredImages

NAMES = ("plain", "robust", "ensemble")
METHODS = ("GBP", "IG", "VCE l1.5", "VCE l2", "VCE l4")
SIDE = 4


class Photographs(StoredImages):
    """Images of known patients."""

    def __init__(self, arrays, class_names, patients):
        super().__init__(arrays, class_names)
        self.patients = np.asarray(patients)


def image_set(labels, *, patients=None, class_names=("healthy", "DR"), image=None, **fields):
    labels = np.asarray(labels)
    image = np.full((len(labels), SIDE, SIDE, 3), 0.5, np.float32) if image is None else image
    arrays = {"image": image, "label": labels, **fields}
    source = (
        StoredImages(arrays, class_names)
        if patients is None
        else Photographs(arrays, class_names, patients)
    )
    return ImageSet.whole(source, "made by hand")


def study(config, images, measured, shown=None, maps=None):
    """A study whose data, evaluations, explained images and maps are made by hand."""
    return Study(config, None, None, images, None, measured, maps, shown)


def data(test, *, external=None, lesions=None, published=True):
    return Data(
        test, test, test, test, external, lesions, test.class_names, "made by hand", published
    )


def answers(labels, wrong):
    """Probabilities of which those at the given positions decide wrongly."""
    decided = np.asarray(labels).copy()
    decided[list(wrong)] = 1 - decided[list(wrong)]
    return np.stack([1 - decided, decided], axis=1) * 0.8 + 0.1


def evaluation(labels, right, robust, *, patients=None):
    """Of alternating labels, all but the first ``right`` images are wrong, and all but the first
    ``robust`` are broken.
    """
    wrong = range(right, len(labels))
    return Evaluation(labels, answers(labels, wrong), np.arange(len(labels)) < robust, patients)


def evaluations(place="test", *, n=400, patients=None, **shares):
    """``plain=(accuracy, robust accuracy)`` and so on, in per cent of ``n`` images of alternating
    classes.
    """
    labels = np.arange(n) % 2
    return {
        (place, name): evaluation(
            labels, round(n * right / 100), round(n * robust / 100), patients=patients
        )
        for name, (right, robust) in shares.items()
    }


def localised(means, *, n=41, spread=0.02, norm=1.5, patients=None, **changed):
    """Maps whose overlaps have the given means: ``{classifier: (one for each method)}``."""
    noise = np.random.default_rng(0).normal(size=n) * spread
    noise -= noise.mean()
    iou = {}
    for shift, (name, row) in enumerate(means.items()):
        for step, (method, mean) in enumerate(zip(METHODS, row, strict=True)):
            of_map = 0.1 * np.roll(noise, 7 * shift + 3 * step)
            iou[name, method] = mean + noise + of_map
        iou.update({(name, variant): iou[name, method] for variant, method in ABLATIONS.items()})
    images = image_set(
        np.ones(n, int), patients=patients, lesion_mask=np.ones((n, SIDE, SIDE), bool)
    )
    given = {
        "images": images,
        "methods": METHODS,
        "radii": {1.5: 30.0, 2.0: 6.0, 4.0: 0.2},
        "norm": norm,
        "quantiles": dict.fromkeys((*METHODS, *ABLATIONS), 0.96),
        "tuned": {},
        "tuned_quantiles": {},
        "offered_quantiles": (0.9, 0.96, 0.98),
        "controls": {},
        "kept": {key: np.zeros((n, SIDE, SIDE), bool) for key in iou},
        "iou": iou,
        "chance": {method: np.full(n, 0.01) for method in (*METHODS, *ABLATIONS)},
        "vce": {},
        "typical": TypicalImage(0, "rightly classified by all classifiers", {}),
    }
    return Localised(**(given | changed))


def counterfactual(image, probability, *, before=0.5):
    n = len(probability)
    return Counterfactual(
        image, np.asarray(probability, float), np.full(n, before), np.zeros((n, 2))
    )


def changed(image, size, share=1.0):
    """The image plus a change of a size that differs a little between images, in a share of its
    pixels.
    """
    mark = np.zeros(image.shape[1:3])
    mark.ravel()[: max(1, round(share * mark.size))] = size
    factor = 1 + 0.01 * np.arange(len(image))
    return image + mark[None, :, :, None] * factor[:, None, None, None]


def explained(
    labels, *, predicted=None, extra=0, sweep=None, vce=None, patients=None, sizes=(0.1, 0.2)
):
    """Explained images: ``sweep`` and ``vce`` give probabilities, the sweep's change grows by
    ``sizes``.

    Args:
        labels: of all images, those in addition to the sample last.
        predicted: by the ensemble; None for the labels.
        extra: how many images are not of the sample.
        sweep: ``(radius index, target) -> (n,)``.
        vce: ``(classifier, p, target) -> (n,)``.
        patients: of the images.
        sizes: of the change at the two radii of the sweep.
    """
    labels = np.asarray(labels)
    n = len(labels)
    images = image_set(labels, patients=patients)
    image = images.arrays["image"]
    sweep = sweep or (lambda radius, target: np.full(n, 0.9 + 0.05 * radius))
    vce = vce or (lambda name, p, target: np.full(n, 0.97) + 0.001 * np.arange(n) / n)
    shares = {1.5: 1 / 16, 2.0: 1 / 2, 4.0: 1.0}
    radii = (0.1, 0.2)
    decided = labels if predicted is None else np.asarray(predicted)
    probability = np.stack([1 - decided, decided], axis=1) * 0.8 + 0.1
    return Explained(
        images,
        n - extra,
        {1.5: 30.0, 2.0: 6.0, 4.0: 0.2},
        dict.fromkeys(NAMES, probability),
        {
            (name, p, target): counterfactual(changed(image, 0.1, share), vce(name, p, target))
            for name in NAMES
            for p, share in shares.items()
            for target in (0, 1)
        },
        {
            (radius, target): counterfactual(changed(image, sizes[index]), sweep(index, target))
            for index, radius in enumerate(radii)
            for target in (0, 1)
        },
    )
