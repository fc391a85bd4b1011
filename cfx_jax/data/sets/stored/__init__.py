"""The tools of all published sets: readers, checks, and the one builder that stores a set.

Sets are stored as ArrayRecord files, without TensorFlow. ``builder`` imports
``tensorflow_datasets`` and is therefore imported where a set is opened.
"""
