"""What every trainer stands on: budgets, schedules, optimisers, interrupts, memory and progress."""
