"""Pure rules of the trade: working calendar, limits and due times, and the rule book of one configuration."""
