"""Figures of images, maps and curves, written as PNG files from small records of arrays."""

from cfx_jax.public_names import public as _public
from cfx_jax.report.figures.counterfactual_grid import counterfactual_grid as counterfactual_grid
from cfx_jax.report.figures.curve import curve as curve
from cfx_jax.report.figures.curve_lines import CurvePanel as CurvePanel
from cfx_jax.report.figures.curve_lines import Line as Line
from cfx_jax.report.figures.grid_rows import CounterfactualPanel as CounterfactualPanel
from cfx_jax.report.figures.grid_rows import CounterfactualRow as CounterfactualRow
from cfx_jax.report.figures.grid_rows import MapColumn as MapColumn
from cfx_jax.report.figures.grid_rows import SaliencyMap as SaliencyMap
from cfx_jax.report.figures.grid_rows import SaliencyRow as SaliencyRow
from cfx_jax.report.figures.saliency_grid import saliency_grid as saliency_grid
from cfx_jax.report.figures.sweep_grid import Outlines as Outlines
from cfx_jax.report.figures.sweep_grid import sweep_grid as sweep_grid

__all__, __dir__ = _public(globals())
