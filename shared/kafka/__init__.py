"""Kafka: topics, the producer, consumers and dead letters."""
