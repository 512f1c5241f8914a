"""Storage: MongoDB, the blob store, leases, API keys."""
