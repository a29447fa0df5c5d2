"""The runtime for asyncio: its one descriptor is watched by the event loop, and nothing polls.

    async with orrery.aio.Runtime(data_dir="/var/lib/tool") as runtime:
        result = await runtime.ask("backup.run", backup="docs")
        async for update in runtime.stream("result.watch", result=result["uuid"]):
            print(update["status"])
"""

from __future__ import annotations

import asyncio
from typing import Any, AsyncIterator, Dict, Optional

from ._library import LOG, REPLY, OrreryError, lib
from .hooks import Provider
from .runtime import Base, Event, log_event, take_event

__all__ = ["Runtime"]


class Runtime(Base):
    """A runtime in the running event loop. Any number of tasks may ask at the same time."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._loop = asyncio.get_running_loop()
        self._waiting: Dict[int, "asyncio.Queue[Optional[Event]]"] = {}
        self._fd = lib.orr_fd(self._open_handle())
        self._loop.add_reader(self._fd, self._turn)

    async def __aenter__(self) -> "Runtime":
        return self

    async def __aexit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """As Base.close; whoever still waits gets OrreryError("closed")."""
        if self._handle and hasattr(self, "_fd"):
            self._loop.remove_reader(self._fd)
            for queue in self._waiting.values():
                queue.put_nowait(None)
        super().close()

    async def drain(self) -> None:
        """Begins no more hooks and waits for those in flight: an orderly end before close()."""
        lib.orr_drain(self._open_handle())
        while not lib.orr_is_idle(self._open_handle()):
            await asyncio.sleep(0.02)

    def register(self, provider: Provider) -> None:
        """A provider in Python, whose methods may be `async def`. Before the first request, so that what was in flight finds it."""
        provider._register(self._open_handle(), self._loop, self._kept.append)

    def _turn(self) -> None:
        lib.orr_step(self._handle, 0)
        while self._handle and (handle := lib.orr_next(self._handle)):
            event = take_event(handle)
            if event.kind == LOG:
                log_event(event)
            elif event.request in self._waiting:
                self._waiting[event.request].put_nowait(event)

    async def stream(self, request: str, **args: Any) -> AsyncIterator[Any]:
        """The updates of a STREAM request such as result.watch; the reply is the last."""
        number = self.submit(request, **args)
        queue = self._waiting[number] = asyncio.Queue()
        try:
            while True:
                event = await queue.get()
                if event is None:
                    raise OrreryError("closed", "the runtime was closed")
                if event.error:
                    raise event.error
                yield event.json
                if event.kind == REPLY:
                    return
        finally:
            del self._waiting[number]
            if self._handle:
                lib.orr_request_stop(self._handle, number)

    async def ask(self, request: str, **args: Any) -> Any:
        """The reply of a request; raises OrreryError where it is one."""
        last = None
        async for last in self.stream(request, **args):
            pass
        return last
