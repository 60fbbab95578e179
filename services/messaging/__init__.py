"""What crosses the brokers: subscriptions and what is heard, the relay and its letters, the doors, the topology."""
