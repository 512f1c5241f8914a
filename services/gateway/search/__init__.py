"""Search over the chunks of a tenant: by words and by meaning."""
