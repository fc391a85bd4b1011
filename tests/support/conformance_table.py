"""The methods that ``test_conformance`` checks, each as (scale of the logits, key, image) -> image.

Run as a script, with the names of methods, on 8 devices: their results under every way to spread a
batch.
"""

import json
import os
import sys
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import Partial
from small_classifiers import convolutional_classifier, images

from cfx_jax.attributions import (
    augment_average,
    grad_cam,
    grad_cam_plus_plus,
    gradient,
    guided_backprop,
    input_x_gradient,
    integrated_gradients,
    latent_saliency,
    layer_cam,
    mask_perturbation,
    occlusion,
    of_slice,
    over_slices,
    path_attribution,
    path_attribution_along,
    perceptual_perturbation,
    random_map,
    score_cam,
    smooth_grad,
    vce_saliency,
)
from cfx_jax.counterfactuals import (
    Exaggerator,
    fixed_point,
    latent_counterfactual,
    latent_shift,
    progressive,
    syce,
    syce_latent_path,
    vce,
    xgem,
)
from cfx_jax.geometry import lp_ball_in_box
from cfx_jax.image_registration import register, warp
from cfx_jax.maps import quantile_threshold, smooth, upsample
from cfx_jax.metrics import overwrite_with, perturbation_curve, psnr, ssim
from cfx_jax.models import Parts, guided_relu, two_logits
from cfx_jax.objectives import class_score, negative_log_probability, negative_margin
from cfx_jax.optimise import (
    apgd,
    auto_frank_wolfe,
    best_so_far,
    from_optax,
    gradient_descent,
    proximal_gradient,
    run,
    soft_threshold,
)
from cfx_jax.parallel import data_mesh

IMAGES = images(8)
KEYS = jax.random.split(jax.random.key(0), 8)
STEPS = 3
TYPICAL = ("integrated_gradients", "smooth_grad", "vce_l1.5")
"""One with a loop over nodes, one with random draws, one with an optimiser: the three that the fast
suite spreads.
"""
CHECKED = (
    "integrated_gradients",
    "smooth_grad",
    "path_attribution",
    "gradient",
    "mask_perturbation",
    "gradient_descent",
    "vce_l2",
    "latent_counterfactual",
    "latent_counterfactual_of_a_volume",
    "latent_shift",
    "latent_shift_gifsplanation",
    "latent_saliency",
)
"""Those that ``shard_map`` runs with its own check of what differs between devices."""


def _soft(image, x, step):
    return soft_threshold(x, image, 0.01 * step)


def _distance(image, x):
    return 0.01 * jnp.abs(x - image).sum()


def methods(scale):
    def classifier(image):
        return scale * convolutional_classifier(image)

    objective = negative_log_probability(classifier, 1)

    def score(image):
        return -objective(image)

    def probability(image):
        return jnp.exp(score(image))

    def by(make):
        return lambda key, image: run(make(image), objective, image).solution

    def ball(image, p):
        return lp_ball_in_box(image, 0.3, p)

    def proximal(image):
        return proximal_gradient(
            partial(_soft, image),
            partial(_distance, image),
            num_steps=STEPS,
            step_size=0.05,
        )

    def counterfactual(p, radius):
        return lambda key, image: (
            vce(classifier, image, 1, p=p, radius=radius, num_steps=STEPS, key=key).image
        )

    def projected_adam(image):
        return from_optax(optax.adam(0.05), num_steps=STEPS, project=ball(image, 2).project)

    def features(image):
        return image.reshape(4, 2, 4, 2).mean(axis=(1, 3))[..., None] ** jnp.arange(1, 4)

    def head(maps):
        return scale * jnp.stack([maps[:2].sum(), (maps[2:] ** 2).sum()])

    cut = Parts(features, head)

    def logit(image):
        return classifier(image)[1] - classifier(image)[0]

    decider = two_logits(logit)
    coders = [
        SimpleNamespace(encode=lambda x: 4 * x - 2, decode=jax.nn.sigmoid),
        SimpleNamespace(
            encode=jnp.square, decode=lambda latent: jnp.clip(1.2 * latent[::-1], 0, 1)
        ),
    ]

    explainer = Exaggerator(
        Partial(lambda x, own: 4 * x - 2 + 0 * own),
        Partial(lambda latent, desired: jax.nn.sigmoid(latent + desired / 3 - 1)),
    )

    def descent():
        return gradient_descent(num_steps=STEPS, step_size=0.5)

    def registered(image):
        return warp(
            image, register(image, other(image), num_frequencies=3, num_steps=STEPS, blurs=(0.1,))
        )

    def guided_score(image):
        return scale * (jnp.diff(guided_relu(jnp.diff(image, axis=0)), axis=1) ** 2).sum()

    def volume(image):
        return jnp.stack([image, 1 - image, image**2])

    def volume_classifier(volume):
        return jax.vmap(classifier)(volume).mean(axis=0)

    def descended(image, target=1):
        return latent_counterfactual(
            coders[0], classifier, image, target, penalty=0.5, num_steps=STEPS, step_size=0.5
        )

    def descended_volume(image):
        options = {
            "penalty": 0.5,
            "num_steps": STEPS,
            "step_size": 0.5,
            "proximal": True,
            "slices_per_batch": 2,
        }
        return latent_counterfactual(coders[0], volume_classifier, volume(image), 1, **options)

    def agnostic(image):
        positive, negative = descended(image), descended(image, 0)
        return latent_saliency(positive.reconstruction, positive.image, negative.image)

    def shifted(image, search):
        return latent_shift(coders[0], classifier, image, 1, search=search)

    def volume_score(volume):
        return jnp.prod(jax.vmap(probability)(volume))

    def volume_path(image):
        options = {"variant": "v1", "num_steps": 3, "nodes_per_batch": 2, "sigma": 1.0}
        return path_attribution(volume_score, volume(image), volume(1 - image), **options).map

    def gradient_of_slice(of_volume, image, index):
        return gradient(of_slice(volume_score, of_volume, index), image)

    def cam_of_slice(of_volume, image, index):
        others = jax.vmap(features)(of_volume)
        return grad_cam(
            Parts(features, lambda maps: head(others.at[index].set(maps).mean(axis=0))), image, 1
        )[..., None]

    def other(image):
        return image**2 / 2 + 0.1

    def curve(image):
        return perturbation_curve(
            probability, image, image[..., 0], overwrite_with(0.5), region=4, steps_per_batch=3
        )

    return {
        "psnr": lambda key, image: jnp.broadcast_to(psnr(image, other(image)), image.shape),
        "ssim": lambda key, image: jnp.broadcast_to(
            ssim(image, other(image), window="uniform"), image.shape
        ),
        "perturbation_curve": lambda key, image: jnp.broadcast_to(curve(image).mean(), image.shape),
        "quantile_threshold": lambda key, image: quantile_threshold(image[..., 0], 0.7)[
            ..., None
        ].astype(image.dtype),
        "smooth": lambda key, image: smooth(image, sigma=1.0),
        "upsample": lambda key, image: upsample(image[::2, ::2], image.shape[:2]),
        "apgd_l1": by(lambda image: apgd(ball(image, 1), num_steps=STEPS)),
        "apgd_l2": by(lambda image: apgd(ball(image, 2), num_steps=STEPS)),
        "apgd_linf": by(lambda image: apgd(ball(image, np.inf), num_steps=STEPS)),
        "auto_frank_wolfe_l1.5": by(
            lambda image: auto_frank_wolfe(ball(image, 1.5), num_steps=STEPS)
        ),
        "auto_frank_wolfe_l4": by(
            lambda image: auto_frank_wolfe(ball(image, 4), num_steps=STEPS, momentum=0.5)
        ),
        "gradient_descent": by(
            lambda image: gradient_descent(num_steps=STEPS, step_size=0.05, normalise="l2")
        ),
        "proximal_gradient": by(proximal),
        "from_optax": by(lambda image: best_so_far(projected_adam(image))),
        "gradient": lambda key, image: gradient(score, image),
        "integrated_gradients": lambda key, image: integrated_gradients(
            score, image, num_steps=5, nodes_per_batch=2
        ),
        "integrated_gradients_of_baselines": lambda key, image: integrated_gradients(
            score, image, baseline=IMAGES[:2], num_steps=3, rule="trapezoid", nodes_per_batch=3
        ),
        "input_x_gradient": lambda key, image: input_x_gradient(score, image),
        "smooth_grad": lambda key, image: smooth_grad(
            key, partial(gradient, score), image, num_samples=3, samples_per_batch=2
        ),
        "grad_cam": lambda key, image: grad_cam(cut, image, 1)[..., None],
        "grad_cam_plus_plus": lambda key, image: grad_cam_plus_plus(cut, image, 1)[..., None],
        "layer_cam": lambda key, image: layer_cam(cut, image, 1)[..., None],
        "occlusion": lambda key, image: occlusion(score, image, window=3, windows_per_batch=4)[
            ..., None
        ],
        "score_cam": lambda key, image: score_cam(cut, image, 1, channels_per_batch=2)[..., None],
        "random_map": random_map,
        "augment_average": lambda key, image: augment_average(
            key, lambda x: gradient(score, x), image, num=3
        ),
        "mask_perturbation": lambda key, image: mask_perturbation(
            probability, image, num_steps=STEPS
        )[..., None],
        "path_attribution": lambda key, image: (
            path_attribution(
                probability, image, 1 - image, num_steps=5, nodes_per_batch=2, sigma=2.0
            ).map
        ),
        "path_attribution_along": lambda key, image: (
            path_attribution_along(
                probability,
                lambda z: jax.nn.sigmoid(4 * z - 2),
                image,
                1 - image,
                variant="v1",
                num_steps=5,
            ).map
        ),
        "perceptual_perturbation": lambda key, image: perceptual_perturbation(
            negative_margin(classifier, 1), lambda x: jnp.diff(x, axis=0), image, num_steps=STEPS
        ),
        "guided_backprop": lambda key, image: guided_backprop(guided_score, image),
        "gradient_of_one_logit": lambda key, image: (
            gradient(class_score(decider, 0), 1 - image) + gradient(class_score(decider, 1), image)
        ),
        "path_attribution_of_a_volume": lambda key, image: volume_path(image)[0],
        "gradients_of_slices": lambda key, image: over_slices(
            partial(gradient_of_slice, volume(image)), volume(image)
        )[2],
        "grad_cam_of_slices": lambda key, image: over_slices(
            partial(cam_of_slice, volume(image)), volume(image), slices_per_batch=2
        )[1],
        "syce": lambda key, image: (
            syce([partial(_recode, coder) for coder in coders], decider, image).explanation
        ),
        "fixed_point": lambda key, image: (
            fixed_point(
                lambda x, domain: jnp.where(domain == 1, jnp.sqrt(x), jnp.square(x)), decider, image
            ).explanation
        ),
        "path_attribution_along_syce": lambda key, image: (
            path_attribution_along(
                class_score(decider, 1, of="probability"),
                *syce_latent_path(coders, decider, image),
                num_steps=3,
            ).map
        ),
        "progressive": lambda key, image: (
            progressive(explainer, decider, image, bins_per_batch=4).saliency
        ),
        "latent_counterfactual": lambda key, image: descended(image).image,
        "latent_counterfactual_of_a_volume": lambda key, image: descended_volume(image).image[0],
        "latent_shift": lambda key, image: shifted(image, "doubling").image,
        "latent_shift_gifsplanation": lambda key, image: shifted(image, "gifsplanation").image,
        "latent_shift_latentshift": lambda key, image: shifted(image, "latentshift").image,
        "latent_saliency": lambda key, image: agnostic(image).map,
        "xgem": lambda key, image: xgem(coders[0], decider, image, descent()).image,
        "register": lambda key, image: registered(image),
        "vce_saliency": lambda key, image: vce_saliency(image, jnp.square(1 - image)),
        "vce_l1.5": counterfactual(1.5, 1.0),
        "vce_l2": counterfactual(2, 0.5),
        "vce_l4": counterfactual(4, 0.2),
    }


def _recode(coder, image):
    return coder.decode(coder.encode(image))


def call(name, scale, key, image):
    """One method on one image; compile it once for every scale."""
    return methods(scale)[name](key, image)


def environment(num_devices):
    quick = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "True", "JAX_NUM_CPU_DEVICES": str(num_devices)}
    return {**os.environ, **quick, "JAX_PLATFORMS": "cpu", "PYTHONPATH": os.pathsep.join(_paths())}


def _paths():
    here = os.path.dirname(os.path.abspath(__file__))
    return [here, os.path.dirname(os.path.dirname(here))]


def _on_all_devices(names):
    spec = jax.sharding.PartitionSpec("data")
    mesh = data_mesh()
    sharding = jax.sharding.NamedSharding(mesh, spec)
    results = {}
    for name in names:
        method = partial(call, name, 1.0)
        batched = jax.vmap(method)
        placed = jax.device_put((KEYS, IMAGES), sharding)
        split = jax.shard_map(
            batched, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=name in CHECKED
        )
        results[name] = {
            "pmap": jax.pmap(method)(KEYS, IMAGES),
            "shard_map": jax.jit(split)(KEYS, IMAGES),
            "mesh": jax.jit(batched)(*placed),
        }
    return jax.tree.map(lambda result: np.asarray(result).tolist(), results)


if __name__ == "__main__":
    jax.config.update("jax_disable_most_optimizations", True)  # compiling is all that takes time
    print(json.dumps(_on_all_devices(sys.argv[1:])))
