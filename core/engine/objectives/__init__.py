"""Objectives: (leaves, real, key) -> loss and gradients. An objective never imports another."""
