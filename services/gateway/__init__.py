"""Takes uploads over HTTP, answers queries, and sends every change to the clients that watch."""
