"""Everything on one machine without containers: Kafka, MongoDB and the services as watched children."""
