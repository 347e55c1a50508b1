"""The plan of what a job does and keeps, as data that the engine executes and a forecast prices; no torch."""
