"""What the experiments share: command line, stages, images, claims and the report."""
