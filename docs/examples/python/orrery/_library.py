"""liborrery as ctypes sees it: the functions of orrery.h that this package uses, with their types. Knows nothing of runtimes."""

from __future__ import annotations

import ctypes
import os
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_size_t, c_uint64, c_void_p
from typing import Any, Callable, Dict, List, Tuple

lib = ctypes.CDLL(os.environ.get("ORRERY_LIBRARY", "liborrery.so.0"))

REPLY, UPDATE, LOG, CALL, CALL_END = 1, 2, 3, 4, 5

HookFunction = CFUNCTYPE(None, c_void_p, c_void_p)
ReadyFunction = CFUNCTYPE(None, c_void_p, c_void_p, c_int, c_void_p)
ReleasedFunction = CFUNCTYPE(None, c_void_p)

HOOKS = ("configureBackup", "validateBackup", "createBackup", "deleteBackup", "deleteBackupResult", "prepareExecuteBackup", "prepareBackupResult",
         "executeBackup", "refreshBackupResult", "cancelBackup", "extractBackup", "recoverBackupResult", "recoverBackup", "refreshBackupResults",
         "updateBackup", "testConnection", "cleanUp", "optionSource", "listBackupResults")


class ProviderStruct(Structure):
    """struct orr_provider."""

    _fields_ = [("size", c_size_t), ("declaration", c_char_p), ("self", c_void_p), ("interrupted", HookFunction), ("released", ReleasedFunction)] + [
        (name, HookFunction) for name in HOOKS]


def _declare(result: Any, **functions: List[Any]) -> None:
    for name, args in functions.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, args


_P, _S = c_void_p, c_char_p
_declare(c_void_p, orr_error_new=[], orr_settings_new=[], orr_next=[_P], orr_wait=[_P, c_int64], orr_event_error=[_P], orr_ref=[_P])
_declare(None, orr_error_free=[_P], orr_settings_free=[_P], orr_close=[_P], orr_drain=[_P], orr_unref=[_P], orr_event_free=[_P],
         orr_request_stop=[_P, c_uint64])
_declare(c_char_p, orr_version=[], orr_error_word=[_P], orr_error_message=[_P], orr_error_field=[_P, c_size_t], orr_error_field_message=[_P, c_size_t],
         orr_settings_key=[c_size_t], orr_settings_type=[c_size_t], orr_settings_default=[c_size_t], orr_settings_doc=[c_size_t], orr_event_json=[_P],
         orr_hook_name=[_P], orr_hook_json=[_P], orr_hook_secret=[_P, _S])
_declare(c_int, orr_error_retryable=[_P], orr_settings_set=[_P, _S, _S, _P], orr_open=[_P, POINTER(_P), _P], orr_step=[_P, c_int64], orr_fd=[_P],
         orr_is_idle=[_P], orr_submit=[_P, _S, _S, POINTER(c_uint64), _P], orr_event_kind=[_P], orr_event_code=[_P],
         orr_provider_add=[_P, _S, _S, c_size_t, _P], orr_provider_register=[_P, POINTER(ProviderStruct), _P], orr_hook_set=[_P, _S, _S, _P],
         orr_hook_sent=[_P, _S, _P], orr_hook_save=[_P, _P], orr_hook_sent_then=[_P, _S, ReadyFunction, _P, _P],
         orr_hook_save_then=[_P, ReadyFunction, _P, _P], orr_hook_stopped=[_P], orr_hook_done=[_P, _S, _P],
         orr_hook_fail=[_P, _S, _S, c_int, _P])
_declare(c_uint64, orr_event_request=[_P])


class OrreryError(Exception):
    """What Orrery refused or could not do. `code` is one of the words of docs/errors.md, `fields` what is wrong with which option."""

    def __init__(self, code: str, message: str, retryable: bool = False, fields: Dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.retryable, self.fields = code, message, retryable, fields or {}

    def __str__(self) -> str:
        return "; ".join([self.message] + [f"{field}: {message}" for field, message in self.fields.items()])


def error_from(handle: int) -> OrreryError:
    """A copy of an orr_error, which stays whose it is."""
    fields: Dict[str, str] = {}
    while (field := lib.orr_error_field(handle, len(fields))) is not None:
        fields[field.decode()] = lib.orr_error_field_message(handle, len(fields)).decode()
    return OrreryError(lib.orr_error_word(handle).decode(), lib.orr_error_message(handle).decode(), bool(lib.orr_error_retryable(handle)), fields)


def checked(function: Callable[..., int], *args: Any) -> int:
    """Calls with an error object at the end, and raises what is left in it."""
    err = lib.orr_error_new()
    if not err:
        raise MemoryError
    try:
        code = function(*args, err)
        if code < 0:
            raise error_from(err)
        return code
    finally:
        lib.orr_error_free(err)


def version() -> str:
    """The library's version."""
    return lib.orr_version().decode()


def settings() -> List[Tuple[str, str, str, str]]:
    """The settings that a runtime can be opened with: key, type, default, what it is."""
    table = []
    while lib.orr_settings_key(len(table)) is not None:
        i = len(table)
        columns = (lib.orr_settings_key(i), lib.orr_settings_type(i), lib.orr_settings_default(i), lib.orr_settings_doc(i))
        table.append(tuple(column.decode() for column in columns))
    return table
