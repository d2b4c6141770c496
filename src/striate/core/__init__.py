"""What every room stands on: errors, device policy, seeds, the recipe, events, intervals and safe files.

Nothing here imports another room, and only ``device`` needs torch (inside its functions).
"""
