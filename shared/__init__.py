"""The vocabulary that two or more services speak: facts, topics, blobs, leases, the stage harness and the fold loop."""
