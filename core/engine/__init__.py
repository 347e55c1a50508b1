"""The distillation engine: torch; knows nothing of web, queue, database, paths or environment variables."""
