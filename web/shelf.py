"""The builds of this machine, as its settings say."""

from core.settings import Settings
from execution.builds.shelf import Shelf
from execution.data.store import Store


def shelf_of(settings: Settings) -> Shelf:
    """Give them, with the data store where there is one. Raises BadSetting."""
    store = Store(settings.data_url) if settings.data_url is not None else None
    return Shelf(settings.home, store, most_mib=settings.builds_mib)
