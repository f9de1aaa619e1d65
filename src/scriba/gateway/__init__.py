"""The policy enforcement point: decides about an LLM request, makes the decision durable, then forwards or refuses."""
