"""The console: pages for people, over the same services as the HTTP API."""

from scriba.console.views import create_console

__all__ = ["create_console"]
