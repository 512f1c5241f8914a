"""One script for each number in the README; each prints a ratio against a peer or a limit in the same run."""
