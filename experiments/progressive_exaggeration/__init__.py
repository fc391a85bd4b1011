"""Explanation by Progressive Exaggeration (Singla et al. 2020): tables, figures and claims."""
