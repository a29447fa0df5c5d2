"""The runtime for plain code: what asks waits for the reply, and turns the wheels meanwhile."""

from __future__ import annotations

import json
import logging
from collections import deque
from ctypes import byref, c_uint64, c_void_p
from typing import Any, Deque, Dict, Iterator, List, NamedTuple, Optional

from ._library import LOG, REPLY, OrreryError, checked, error_from, lib
from .hooks import Provider

_log = logging.getLogger("orrery")
_levels = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Event(NamedTuple):
    """What orr_next gives: kind, the request it belongs to, its JSON, and the error of a reply that failed."""

    kind: int
    request: int
    json: Any
    error: Optional[OrreryError]


def take_event(handle: int) -> Event:
    """An event as a value; the handle is gone."""
    try:
        error = lib.orr_event_error(handle)
        return Event(lib.orr_event_kind(handle), lib.orr_event_request(handle), json.loads(lib.orr_event_json(handle)),
                     error_from(error) if error else None)
    finally:
        lib.orr_event_free(handle)


def log_event(event: Event) -> None:
    """The runtime's log lines go to Python's logging, as "orrery"."""
    _log.log(_levels.get(event.json.get("level"), logging.INFO), "%s", event.json.get("message"), extra={"orrery": event.json})


class Base:
    """What both runtimes share: opening, closing, asking, providers."""

    def __init__(self, **settings: Any) -> None:
        self._handle: Optional[int] = None
        self._kept: List[Any] = []
        options = lib.orr_settings_new()
        try:
            for key, value in settings.items():
                for each in value if isinstance(value, (list, tuple)) else [value]:
                    text = str(each).lower() if isinstance(each, bool) else str(each)
                    checked(lib.orr_settings_set, options, key.encode(), text.encode())
            handle = c_void_p()
            checked(lib.orr_open, options, byref(handle))
            self._handle = handle.value
        finally:
            lib.orr_settings_free(options)

    def close(self) -> None:
        """Ends it at once; what was in flight is taken up at the next opening. May be called twice."""
        handle, self._handle = self._handle, None
        if handle:
            lib.orr_close(handle)

    def __del__(self) -> None:
        self.close()

    def _open_handle(self) -> int:
        if not self._handle:
            raise OrreryError("closed", "the runtime is closed")
        return self._handle

    def submit(self, request: str, **args: Any) -> int:
        """Asks for something; the reply comes as an event with this number."""
        number = c_uint64()
        checked(lib.orr_submit, self._open_handle(), request.encode(), json.dumps(args).encode(), byref(number))
        return number.value

    def add_source(self, code: str, source: str) -> None:
        """A provider in Lua, from text. A version that fails its checks never replaces a working one."""
        text = source.encode()
        checked(lib.orr_provider_add, self._open_handle(), code.encode(), text, len(text))


class Runtime(Base):
    """A runtime in this thread: `with Runtime(data_dir=...) as runtime`. Settings are listed by orrery.settings()."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._waiting: Dict[int, Deque[Event]] = {}

    def __enter__(self) -> "Runtime":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def register(self, provider: Provider) -> None:
        """A provider in Python. Before the first request, so that what was in flight finds it."""
        provider._register(self._open_handle(), None, self._kept.append)

    def _next(self, request: int) -> Event:
        """The next event of a request; those of others wait for whoever asked for them."""
        while not self._waiting[request]:
            handle = lib.orr_wait(self._open_handle(), 200)  # a look at the clock now and then lets ^C through
            if not handle:
                continue
            event = take_event(handle)
            if event.kind == LOG:
                log_event(event)
            elif event.request in self._waiting:
                self._waiting[event.request].append(event)
        return self._waiting[request].popleft()

    def stream(self, request: str, **args: Any) -> Iterator[Any]:
        """The updates of a STREAM request such as result.watch; the reply is the last."""
        number = self.submit(request, **args)
        self._waiting[number] = deque()
        try:
            while True:
                event = self._next(number)
                if event.error:
                    raise event.error
                yield event.json
                if event.kind == REPLY:
                    return
        finally:
            del self._waiting[number]
            if self._handle:
                lib.orr_request_stop(self._handle, number)

    def ask(self, request: str, **args: Any) -> Any:
        """The reply of a request; raises OrreryError where it is one."""
        last = None
        for last in self.stream(request, **args):
            pass
        return last

