"""The page of ``cfx explain``: a card for each image, with filters, sliders and further pages."""

from cfx_jax.public_names import public as _public
from cfx_jax.report.gallery.cards import Card as Card
from cfx_jax.report.gallery.cards import Figure as Figure
from cfx_jax.report.gallery.cards import Strip as Strip
from cfx_jax.report.gallery.write import Texts as Texts
from cfx_jax.report.gallery.write import write_gallery as write_gallery

__all__, __dir__ = _public(globals())
