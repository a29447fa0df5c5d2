"""The Python package without asyncio: requests, streams, errors, hooks in threads. plain.py FOLDER; says what is wrong and ends with 1."""

import sys
import time

import orrery


class Slow(orrery.Provider):
    declaration = {"apiVersion": 1, "code": "slow", "name": "Slow", "version": "1", "refreshInterval": 0.2,
                   "connectionOptionTypes": [{"fieldName": "key", "inputType": "password"}]}
    seen = []

    def executeBackup(self, hook):
        hook.sent("POST nothing")
        hook.set(externalId="job-1")
        hook.save()
        time.sleep(0.1)
        self.seen.append((hook.execution_config, hook.secret("connection.key"), hook.backup["name"]))
        if hook.execution_config.get("how") == "halt":
            return False, "no \"room\""
        if hook.execution_config.get("how") == "raise":
            raise ValueError("what a value")
        if hook.execution_config.get("how") == "odd":
            return {"sucess": True}
        hook.set_path("backupResult.config.parts", [1, 2])
        hook.set(status="IN_PROGRESS")

    def refreshBackupResult(self, hook):
        hook.set(status="SUCCEEDED")

    def testConnection(self, hook):
        return hook.secret("connection.key") == "s3cret"


def run(runtime, **config):
    result = runtime.ask("backup.run", backup="b", config=config)
    statuses = []
    for result in runtime.stream("result.watch", result=result["uuid"]):
        statuses.append(result["status"])
    assert len(statuses) > 1, statuses
    return result


def refused(call, code, part):
    try:
        call()
    except orrery.OrreryError as error:
        assert error.code == code and part in str(error), (error.code, str(error))
    else:
        raise AssertionError(f"was not refused: {part}")


def main(folder):
    assert any(row[0] == "data_dir" for row in orrery.settings())
    refused(lambda: orrery.Runtime(data_dri=folder), "invalid", "did you mean 'data_dir'")
    with orrery.Runtime(data_dir=folder) as runtime:
        refused(lambda: orrery.Runtime(data_dir=folder), "locked", folder)
        runtime.register(Slow())
        runtime.ask("connection.add", name="c", provider="slow", config={"key": "s3cret"})
        runtime.ask("connection.test", connection="c")
        runtime.ask("backup.create", name="b", provider="slow", connection="c")
        result = run(runtime, how="well", greeting="grüße \u2603")
        assert result["status"] == "SUCCEEDED" and result["externalId"] == "job-1", result
        assert result["config"]["parts"] == [1, 2], result["config"]
        assert Slow.seen[0] == ({"how": "well", "greeting": "grüße \u2603"}, "s3cret", "b"), Slow.seen
        halted = run(runtime, how="halt")
        assert halted["status"] == "FAILED" and "no \"room\"" in halted["errorMessage"], halted
        # It raised after it was sent, and cannot be looked up: nobody knows.
        raised = run(runtime, how="raise")
        assert raised["attention"] == "unknown_start", raised
        odd = run(runtime, how="odd")
        assert odd["attention"] == "unknown_start", odd
        journal = runtime.ask("result.show", result=raised["uuid"], journal=True)
        assert "plain.py" in str(journal) and "what a value" in str(journal), journal
        refused(lambda: runtime.ask("backup.run", backup="c"), "not_found", "'c'")
        refused(lambda: runtime.ask("bakcup.run", backup="b"), "invalid", "backup.run")
        refused(lambda: runtime.add_source("x", "this is no Lua"), "provider", "x.lua:1")
    refused(lambda: runtime.ask("status"), "closed", "closed")
    runtime.close()
    with orrery.Runtime(data_dir=folder) as runtime:
        runtime.register(Slow())
        assert len(runtime.ask("result.ls")) == 4
    return 0


sys.exit(main(sys.argv[1]))
