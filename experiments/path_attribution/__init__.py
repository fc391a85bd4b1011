"""Path-based attribution between generated images (Charachon et al. 2021)."""
