"""The engine's process: the one part of the worker that knows torch. `python -m worker.engine`."""
