"""Durable state: the hot rows and heads of the logs, and the control tables around them."""
