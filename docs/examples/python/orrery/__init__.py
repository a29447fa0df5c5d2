"""Orrery in Python: a runtime for backups, driven from plain code or from asyncio.

    import orrery

    with orrery.Runtime(data_dir="/var/lib/tool") as runtime:
        runtime.ask("backup.create", name="docs", provider="archive", config={"path": "/srv/docs", "target": "/var/backups"})
        result = runtime.ask("backup.run", backup="docs")
        for update in runtime.stream("result.watch", result=result["uuid"]):
            print(update["status"])

The requests and their arguments are those of Orrery's docs/requests.md; replies are dicts and lists. `orrery.aio.Runtime` is the same for asyncio. Hooks in
Python: `orrery.Provider`. The shared library is found as liborrery.so.0, or where the environment variable ORRERY_LIBRARY says.
"""

from ._library import OrreryError, settings, version
from .hooks import Hook, Provider
from .runtime import Runtime

__all__ = ["Hook", "OrreryError", "Provider", "Runtime", "settings", "version"]
