"""Providers in Python: a class whose methods are the hooks.

A method gets a Hook and answers as hooks in Lua do: nothing or True is success, False or (False, "msg") halts, a dict is a ServiceResponse. What it raises is
told as an error; an OrreryError that is retryable counts as retry. Plain methods run in a thread and may wait; `async def` methods run in the event loop of
orrery.aio.Runtime.
"""

from __future__ import annotations

import asyncio
import ctypes
import inspect
import json
import threading
import traceback
from typing import Any, Callable, Dict, Optional

from ._library import HOOKS, HookFunction, OrreryError, ProviderStruct, ReadyFunction, ReleasedFunction, checked, error_from, lib


class Hook:
    """One call of a hook. Not to be kept after the method has returned."""

    def __init__(self, handle: int, loop: Optional[asyncio.AbstractEventLoop]) -> None:
        self._handle, self._loop = handle, loop
        self.name: str = lib.orr_hook_name(handle).decode()
        given: Dict[str, Any] = json.loads(lib.orr_hook_json(handle))
        self.given = given
        self.backup: Dict[str, Any] = given.get("backup") or {}
        self.backup_result: Dict[str, Any] = given.get("backupResult") or {}
        self.connection: Dict[str, Any] = given.get("connection") or {}
        self.opts: Dict[str, Any] = given.get("opts") or {}
        self.execution_config: Dict[str, Any] = given.get("executionConfig") or {}

    def secret(self, path: str) -> Optional[str]:
        """A secret, e.g. "connection.password"."""
        text = lib.orr_hook_secret(self._handle, path.encode())
        return None if text is None else text.decode()

    def set(self, **fields: Any) -> None:
        """Writes fields of the result: hook.set(status="IN_PROGRESS", externalId="job-7")."""
        for field, value in fields.items():
            self.set_path(f"backupResult.{field}", value)

    def set_path(self, path: str, value: Any) -> None:
        """Writes any field, or free configuration: "backup.externalId", "backupResult.config.parts"."""
        checked(lib.orr_hook_set, self._handle, path.encode(), json.dumps(value).encode())

    @property
    def stopped(self) -> bool:
        """Is it to clean up and end, since it was cancelled or its time is up?"""
        return lib.orr_hook_stopped(self._handle) != 0

    def sent(self, act: str) -> None:
        """Before the first act that changes something outside: returns once that is durable. In plain methods."""
        checked(lib.orr_hook_sent, self._handle, act.encode())

    def save(self) -> None:
        """What was written to the result is durable when this returns. In plain methods."""
        checked(lib.orr_hook_save, self._handle)

    async def asent(self, act: str) -> None:
        """sent() for `async def` methods."""
        await self._durable(lambda ready, err: lib.orr_hook_sent_then(self._handle, act.encode(), ready, None, err))

    async def asave(self) -> None:
        """save() for `async def` methods."""
        await self._durable(lambda ready, err: lib.orr_hook_save_then(self._handle, ready, None, err))

    async def _durable(self, start: Callable[..., int]) -> None:
        assert self._loop is not None
        future = self._loop.create_future()

        def ready(_arg: Any, _hook: Any, code: int, err: Any) -> None:
            if future.cancelled():
                return
            if code:
                future.set_exception(error_from(err))
            else:
                future.set_result(None)

        kept = ReadyFunction(ready)  # lives until it has been called: we wait for that right here
        checked(lambda err: start(kept, err))
        await asyncio.shield(future)

    def _end(self, answer: Any) -> None:
        if answer is None:
            answer = True
        if isinstance(answer, tuple):
            answer = {"success": bool(answer[0]), "msg": answer[1]}
        if isinstance(answer, bool):
            answer = {"success": answer}
        try:
            checked(lib.orr_hook_done, self._handle, json.dumps(answer).encode())
        except (OrreryError, TypeError, ValueError) as error:
            if not isinstance(error, OrreryError) or error.code == "invalid":
                self._fail("provider", f"{self.name} answered {answer!r}: {error}")

    def _fail(self, code: str, message: str) -> None:
        lib.orr_hook_fail(self._handle, code.encode(), message.replace("\n", " ").encode(), 0, None)

    def _raised(self, error: BaseException) -> None:
        if isinstance(error, OrreryError):
            self._fail(error.code, error.message)
        else:
            where = traceback.extract_tb(error.__traceback__)
            place = f"{where[-1].filename}:{where[-1].lineno}: " if where else ""
            self._fail("provider", f"{place}{type(error).__name__}: {error}")


class Provider:
    """Derive, set `declaration` to what Provider { ... } takes in Lua, and define methods called like hooks. executeBackup is needed."""

    declaration: Dict[str, Any] = {}

    def _register(self, runtime: int, loop: Optional[asyncio.AbstractEventLoop], keep: Callable[[Any], None]) -> None:
        def dispatch(_self: Any, handle: int) -> None:
            hook = Hook(handle, loop)
            method = getattr(self, hook.name)
            if inspect.iscoroutinefunction(method):
                if loop is None:
                    hook._fail("provider", f"{hook.name} is async: it needs orrery.aio.Runtime")
                    return
                task = loop.create_task(_run_async(hook, method))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            else:
                threading.Thread(target=_run, args=(hook, method), daemon=True, name=f"orrery {hook.name}").start()

        tasks: set = set()
        callback = HookFunction(dispatch)
        struct = ProviderStruct(declaration=json.dumps(self.declaration).encode(), interrupted=HookFunction(), released=ReleasedFunction())
        struct.size = ctypes.sizeof(struct)
        for name in HOOKS:
            if hasattr(self, name):
                setattr(struct, name, callback)
        keep(callback)
        checked(lib.orr_provider_register, runtime, struct)


def _run(hook: Hook, method: Callable[[Hook], Any]) -> None:
    try:
        answer = method(hook)
    except BaseException as error:  # whatever it is, the call has to end
        hook._raised(error)
    else:
        hook._end(answer)


async def _run_async(hook: Hook, method: Callable[[Hook], Any]) -> None:
    try:
        answer = await method(hook)
    except BaseException as error:
        hook._raised(error)
    else:
        hook._end(answer)
