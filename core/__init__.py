"""What API and worker share (ledger, data, artifacts, vocabulary), and the engine."""
