"""Chapters of the report: the paper's questions beyond the explained label."""

from experiments.progressive_exaggeration.chapters.registry import CHAPTERS as CHAPTERS
from experiments.progressive_exaggeration.chapters.registry import Chapter as Chapter
from experiments.progressive_exaggeration.chapters.registry import check_chapters as check_chapters
from experiments.progressive_exaggeration.chapters.registry import study_chapters as study_chapters
