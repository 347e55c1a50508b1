"""The steps of a job: each finds its result in the workspace, or makes it and keeps it there."""
