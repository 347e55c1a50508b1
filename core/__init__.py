"""The parts that API and worker share (ledger, data, artifacts, vocabulary), and the engine."""
