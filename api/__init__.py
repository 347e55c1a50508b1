"""The REST API: what clients see of the service. It reads and writes the ledger; it never computes."""
