"""From a config to a plan: networks, terms, data and schedules, all checked first."""
