"""What every request finds in the application's state, made once at start."""

from typing import TypedDict

from core.db import Sessions
from core.settings import Settings
from execution.calls import Caller
from execution.cluster import Cluster
from search.index import Index
from web.auth.key_cache import KeyCache


class State(TypedDict):
    """The parts of a running site."""

    settings: Settings
    sessions: Sessions
    index: Index
    caller: Caller
    cluster: Cluster
    keys: KeyCache
