"""Takes uploads over HTTP and carries every change to whoever watches."""
