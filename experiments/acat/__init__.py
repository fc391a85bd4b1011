"""ACAT: adversarial counterfactual attention (Fontanella et al., ICML 2023)."""
