"""Table 3 and Figure 6: whether explanations show what a classifier confounds with the label.

Two classifiers of the label alone are trained on as many images: in the biased set every image with
the label has the confounder too (every smiling face is a man's), in the other both classes have it
as often as not. Validation images and queries are the same. Both explainers are trained on all
training images, so that they differ by their classifiers alone: images that carry the bias would
teach it to an explainer by themselves (Cohen et al. 2018), which the paper's may have. Short
trainings may start from the first explainer's weights, both alike: from random ones they end before
anything but the label changes. What the explanations show of the confounder is said by an oracle
that knows drawings, see ``oracle``.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Int

from cfx_jax.losses import ProgressiveWeights
from experiments.progressive_exaggeration.chapters.confounder.oracle import train_oracle
from experiments.progressive_exaggeration.chapters.confounder.report import (
    BIASED,
    UNBIASED,
    Bias,
    Shown,
)
from experiments.progressive_exaggeration.label_study import (
    Explainer,
    LabelStudy,
    Network,
    Subject,
    further_explainer,
    seen_by,
    subject_of,
    sweep,
    train_network,
)
from experiments.shared import ImageSet, InputError, predict

_LEAST = 1e-6  # probability whose log-odds are told apart from 0


def study_bias(study: LabelStudy) -> Bias:
    """Trains both classifiers and their explainers, and the oracle.

    Raises:
        InputError: too few images have the confounder both ways; as the trainers.
    """
    data, name = study.setup.data, study.setup.config.confounder
    confounder = data.names.index(name)
    has_label, has_it = (
        data.train.labels[:, label].astype(bool) for label in (data.explained, confounder)
    )
    sets = confounded_and_not(has_label, has_it, seed=study.setup.config.seed)
    queries = _queries(study)
    subjects = {kind: _subject(study, kind, chosen, queries) for kind, chosen in sets.items()}
    explained = [
        {kind: (subject, _explainer(study, subject, run)) for kind, subject in subjects.items()}
        for run in range(len(study.explainers))
    ]
    truth = data.test.labels[:, confounder].astype(bool)
    known = study.setup.labelled(name).data
    everyone = [pair for training in explained for pair in training.values()]
    oracle, column = train_oracle(study, known, everyone), known.explained
    first, *further = [
        {kind: _shown(study, oracle, column, *pair) for kind, pair in training.items()}
        for training in explained
    ]
    return Bias(
        study,
        name,
        truth[data.test.rows_of(queries)],
        predict(oracle.outputs, queries)[:, column] >= 0,
        (oracle.logits[:, column] >= 0) == truth,
        queries,
        first,
        tuple(further),
    )


def _queries(study: LabelStudy) -> ImageSet:
    """The study's queries, or another number of test images of either decision."""
    if not study.setup.config.bias_explained:
        return study.subject.queries
    asked = dataclasses.replace(study.setup.config, num_explained=study.setup.config.bias_explained)
    setup = study.subject.setup._replace(config=asked)
    return subject_of(setup, study.subject.network).queries


def confounded_and_not(
    has_label: Bool[np.ndarray, " n"], has_confounder: Bool[np.ndarray, " n"], *, seed: int
) -> dict[str, Int[np.ndarray, " m"]]:
    """Positions of two sets of images, with as many images of each class.

    Args:
        has_label: whether each image has the label.
        has_confounder: whether each image has the confounder.
        seed: the seed of the choice.

    Returns:
        By ``BIASED``, where all images with the label have the confounder, and ``UNBIASED``, where
        half of them have; half of those without the label have it in both.

    Raises:
        InputError: fewer than two images of one of the four kinds.
    """
    rng = np.random.default_rng(seed)
    kinds = {
        (label, other): rng.permutation(
            np.flatnonzero((has_label == label) & (has_confounder == other))
        )
        for label in (False, True)
        for other in (False, True)
    }
    half = min(len(kinds[True, True]) // 2, *(len(kind) for kind in kinds.values()))
    if half < 1:
        raise InputError(
            "--confounder: expected at least two training images with and without it in either"
            f" class, got {', '.join(str(len(kind)) for kind in kinds.values())}: choose another"
        )
    negatives = [kinds[False, other][:half] for other in (False, True)]
    mixed = [kinds[True, other][:half] for other in (False, True)]
    return {
        BIASED: np.sort(np.concatenate([*negatives, kinds[True, True][: 2 * half]])),
        UNBIASED: np.sort(np.concatenate([*negatives, *mixed])),
    }


def _subject(
    study: LabelStudy, name: str, chosen: Int[np.ndarray, " m"], queries: ImageSet
) -> Subject:
    """The label of a classifier that is trained on some of the training images."""
    config, data, _ = study.setup
    alone = data.of((data.label,), data.label)
    trained_on = alone._replace(train=alone.train.take(chosen))
    # Validation images do not carry the bias, and would select the weights that have least of it.
    last = dataclasses.replace(config.classifier, select="none")
    training = study.setup._replace(
        config=dataclasses.replace(config, classifier=last), data=trained_on
    )
    network = train_network(name, training)
    return Subject(study.setup._replace(data=alone), network, 0, queries)


def _explainer(study: LabelStudy, subject: Subject, training: int) -> Explainer:
    """An explainer of one of both classifiers, in one of the trainings."""
    return further_explainer(
        subject,
        weights=_weights(study),
        start=study.explainers[training] if study.setup.config.bias_warm_start else None,
        training=training,
    )


def _weights(study: LabelStudy) -> ProgressiveWeights:
    """The first explainer's, with the chapter's own price of likeness."""
    config, first = study.setup.config, study.setup.config.explainer.weights
    return dataclasses.replace(
        first,
        reconstruction=config.bias_likeness * first.reconstruction,
        cycle=config.bias_likeness * first.cycle,
    )


def _shown(
    study: LabelStudy, oracle: Network, confounder: int, subject: Subject, explainer: Explainer
) -> Shown:
    sweeps = sweep(explainer, subject)
    seen = seen_by(oracle, sweeps, study.setup)[..., confounder]
    own_bin = seen[np.arange(len(seen)), np.asarray(sweeps.series.source_bin)]
    ends = np.clip(seen[:, [0, -1]].astype(float), _LEAST, 1 - _LEAST)
    return Shown(
        sweeps,
        float(subject.network.auc[0]),
        ends >= 0.5,
        own_bin >= 0.5,
        np.log(ends) - np.log1p(-ends),
    )
