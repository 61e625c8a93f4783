"""What exists on a node, so that what a provider leaves behind is seen."""

from extstorage_conformance.inventory.item import Item
from extstorage_conformance.inventory.survey import Look, Survey

__all__ = ["Item", "Look", "Survey"]
