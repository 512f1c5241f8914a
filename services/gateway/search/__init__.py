"""Search over the chunks of a tenant, by words and by meaning: the gateway's side, and the process with the index."""
