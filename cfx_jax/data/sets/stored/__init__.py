"""What the published sets share: readers of their tables and pictures, checks of what was
downloaded, and the one builder that stores a set as ArrayRecord files, without TensorFlow.

``builder`` imports ``tensorflow_datasets`` and is therefore imported where a set is opened.
"""
