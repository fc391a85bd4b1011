"""Explain an image classifier by counterfactuals and attributions, in pure JAX functions.

Conventions, stated here once and assumed everywhere:

- An *image* is float32 ``(h, w, c)`` in [0, 1]; a *volume* is ``(s, h, w, c)``; a batch adds a
  leading axis. Normalisation lives inside the model.
- A *classifier* is a callable from one image to logits ``(k,)``; a *score* is a callable from one
  image to a scalar; an *objective* is a score that an optimiser minimises. Library functions take
  one image: use ``jax.vmap``, or the drivers of ``cfx_jax.optimise`` and ``cfx_jax.parallel``, for
  many.
- A classifier that is also a pytree (``models.per_image(model)``, ``jax.tree_util.Partial``) can be
  an argument of a jitted function; its weights are then never compiled in as constants.
- Called outside of ``jit``, a function compiles once for each shape of image and each classifier,
  and then never again. Scores, constraint sets and algorithms may be made anew for each image;
  other weights of a pytree are data. Another compilation is needed for another shape, for another
  class passed as an ``int`` (as a JAX array it is data), and for a plain function whose code has
  changed, or anything that it holds or reads. A function that holds something that cannot be
  compared, such as a generator or a tensor of another library, compiles at each call. See
  ``cfx_jax.compilation``.
- Random functions take ``key`` first; every option is keyword-only. Maps are raw and keep their
  sign.
- Arithmetic of algorithms is float32. Anything the caller can mend raises ``errors.InputError``
  with one line that says what was expected, what came and what to do.
- Examples in docstrings run after ``import jax, jax.numpy as jnp, numpy as np`` and, of the package
  that they are in, ``from cfx_jax.PACKAGE import *``.
"""

__version__ = "0.1.0"
