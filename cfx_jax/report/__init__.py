"""Results for readers: figures, animations, tables, claims and one self-contained page.

NumPy arrays and numbers go in, files come out; nothing here knows a model. Every file is written in
one move, so that an interrupted run leaves the earlier file and never half of a new one. Data made
by a program is marked as such: give ``note`` (drawn below figures and animations, printed under
tables and at the head of the page) wherever it is used.
"""

from cfx_jax.public_names import public as _public
from cfx_jax.report.animation import AnimationPanel as AnimationPanel
from cfx_jax.report.animation import animate as animate
from cfx_jax.report.answer_key import Key as Key
from cfx_jax.report.answer_key import read_key as read_key
from cfx_jax.report.answer_key import write_key as write_key
from cfx_jax.report.claims import Claim as Claim
from cfx_jax.report.claims import format_claims as format_claims
from cfx_jax.report.claims import verdict as verdict
from cfx_jax.report.claims import write_claims as write_claims
from cfx_jax.report.colours import signed_colours as signed_colours
from cfx_jax.report.colours import signed_difference as signed_difference
from cfx_jax.report.figures import CounterfactualPanel as CounterfactualPanel
from cfx_jax.report.figures import CounterfactualRow as CounterfactualRow
from cfx_jax.report.figures import CurvePanel as CurvePanel
from cfx_jax.report.figures import Line as Line
from cfx_jax.report.figures import MapColumn as MapColumn
from cfx_jax.report.figures import Outlines as Outlines
from cfx_jax.report.figures import SaliencyMap as SaliencyMap
from cfx_jax.report.figures import SaliencyRow as SaliencyRow
from cfx_jax.report.figures import counterfactual_grid as counterfactual_grid
from cfx_jax.report.figures import curve as curve
from cfx_jax.report.figures import saliency_grid as saliency_grid
from cfx_jax.report.figures import sweep_grid as sweep_grid
from cfx_jax.report.knob import Sweep as Sweep
from cfx_jax.report.knob import write_knob as write_knob
from cfx_jax.report.questionnaire import Question as Question
from cfx_jax.report.questionnaire import write_questionnaire as write_questionnaire
from cfx_jax.report.report_page import Report as Report
from cfx_jax.report.table import format_table as format_table
from cfx_jax.report.table import markdown_table as markdown_table
from cfx_jax.report.table import write_table as write_table
from cfx_jax.report.vote_files import Votes as Votes
from cfx_jax.report.vote_files import read_votes as read_votes

__all__, __dir__ = _public(globals())
