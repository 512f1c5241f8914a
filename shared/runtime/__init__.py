"""What every process needs: settings, logs, tracing, the event loop and its watchdog."""
