"""Visual counterfactuals from a plain + robust ensemble (Boreiko et al., MICCAI 2022)."""
