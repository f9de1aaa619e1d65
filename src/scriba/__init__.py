"""Scriba: an LLM governance gateway and tamper-evident audit log."""

__version__ = "0.1.0"
