"""Live updates: subscriptions, frames, WebSockets and server-sent events."""
