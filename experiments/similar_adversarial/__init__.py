"""Explanations by similar and adversarial images (Charachon et al., ICPR 2020)."""
