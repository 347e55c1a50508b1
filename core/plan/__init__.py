"""What a job will do and keep, as data that the engine executes and a forecast prices; no torch."""
