"""Everything on one machine without containers: Kafka, MongoDB, the five services, supervised."""
