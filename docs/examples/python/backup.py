"""A provider in Python and its host, with asyncio: backup.py DATA_DIR FILE TARGET keeps a copy of FILE in the folder TARGET, and removes it again."""

import asyncio
import os
import shutil
import sys
from typing import Any

import orrery
import orrery.aio


class Copier(orrery.Provider):
    declaration = {
        "apiVersion": 1, "code": "pycopy", "name": "Copies a file", "version": "1.0.0", "idempotent": True, "refreshInterval": 0.5,
        "optionTypes": [{"fieldName": name, "fieldLabel": name, "inputType": "text", "required": True} for name in ("file", "target")],
    }

    async def executeBackup(self, hook: orrery.Hook) -> Any:
        config = hook.backup["config"]
        # The result's uuid names the copy, so that a start that is repeated writes the same one.
        path = os.path.join(config["target"], hook.backup_result["uuid"])
        await hook.asent("write a copy")
        await asyncio.get_running_loop().run_in_executor(None, shutil.copyfile, config["file"], path)
        hook.set(resultPath=path, sizeInBytes=os.path.getsize(path), status="IN_PROGRESS")

    def refreshBackupResult(self, hook: orrery.Hook) -> Any:  # not async: it runs in a thread
        if not os.path.exists(hook.backup_result["resultPath"]):
            return False, "the copy is gone"
        hook.set(status="SUCCEEDED")

    def deleteBackupResult(self, hook: orrery.Hook) -> Any:
        hook.sent("remove the copy")
        os.remove(hook.backup_result["resultPath"])
        return True


async def main(data_dir: str, file: str, target: str) -> int:
    async with orrery.aio.Runtime(data_dir=data_dir) as runtime:
        runtime.register(Copier())
        await runtime.ask("backup.create", name="copy", provider="pycopy", config={"file": file, "target": target})
        result = await runtime.ask("backup.run", backup="copy")
        async for result in runtime.stream("result.watch", result=result["uuid"]):
            print("it is", result["status"])
        print(result["status"], result["resultPath"])
        is_copied = os.path.exists(result["resultPath"])
        await runtime.ask("result.rm", result=result["uuid"])
        print("the copy is", "still there" if os.path.exists(result["resultPath"]) else "gone")
        try:
            await runtime.ask("backup.run", backup="cpoy")
        except orrery.OrreryError as error:
            print(f"{error.code}: {error}")
        return 0 if is_copied and not os.path.exists(result["resultPath"]) else 1


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: backup.py DATA_DIR FILE TARGET")
    sys.exit(asyncio.run(main(*sys.argv[1:])))
