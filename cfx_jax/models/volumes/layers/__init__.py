"""Layers of the networks of volumes."""
