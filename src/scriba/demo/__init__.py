"""A month of sample decisions for the demo organisation.

What is asked for, by whom and when is made up; every verdict is the real engine's, under the demo's own policies, and
every entry comes in by the real import. Bursts are those of a real trace, the curve of day and week is ours.
"""

from scriba.demo.arrivals import DAYS
from scriba.demo.history import ENTRIES, fill_demo

__all__ = ["DAYS", "ENTRIES", "fill_demo"]
