"""What carries entries and events out: webhooks, with a retry clock for each delivery."""
