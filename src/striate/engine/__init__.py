"""What every trainer stands on: budgets, schedules, optimisers, checkpoints, locks and progress."""
