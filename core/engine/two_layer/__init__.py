"""Distillation for two-layer networks on multi-index targets: points by a gradient step, labels by their effect."""
