"""Path-based attribution between generated images (Charachon et al. 2021), from images to tables,
figures and claims.
"""
