"""Public sets of photographs of faces, with what they show.

A ``read_NAME`` lists a set in the layout in which it is published; ``CelebA`` prepares its
photographs once, stores them as a TensorFlow Datasets set in ArrayRecord files, and is then a
random-access source of two classes. No TensorFlow is needed. The builder is in
``cfx_jax.data.face_sets.builder``, which imports ``tensorflow_datasets``.
"""

from cfx_jax.data.face_sets.celeba import FaceRecord as FaceRecord
from cfx_jax.data.face_sets.celeba import crop_face as crop_face
from cfx_jax.data.face_sets.celeba import read_celeba as read_celeba
from cfx_jax.data.face_sets.source import CelebA as CelebA
from cfx_jax.faces import public as _public

__all__, __dir__ = _public(globals())
