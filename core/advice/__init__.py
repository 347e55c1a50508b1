"""Advice before a job: learning curves of real images and of short distillations, and the verdict they support."""
