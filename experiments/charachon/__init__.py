"""What the experiments on generated images share: images, classifier, generators, baselines and
measurements.
"""
