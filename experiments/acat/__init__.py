"""ACAT: adversarial counterfactual attention for classification and detection (Fontanella et al.,
ICML 2023).
"""
