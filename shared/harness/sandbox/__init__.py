"""The sandbox: child processes without a network, with bounded memory and time, killed as a group."""
