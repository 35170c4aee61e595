"""What a run's networks can do: measures, cost, statistics, tables."""
