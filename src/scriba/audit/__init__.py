"""Reading the logs: lists, single entries, exports, and verification of what is stored."""
