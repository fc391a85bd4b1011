"""What the trainings share: settings, networks, optimisers, batches, and the run itself."""
