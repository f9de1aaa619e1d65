"""The HTTP API for what is managed and read. The calls of applications go to the gateway instead."""
