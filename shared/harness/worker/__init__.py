"""The worker of a stage: takes work items from Kafka and runs them in the sandbox under a lease."""
