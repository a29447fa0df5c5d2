# What every test of the kit has; read with `. "$1"` as its first line.
#
# $kit is this folder's parent; $acme a provider's folder with a spec that passes. o ARGS... runs orrery; run ARGS... keeps $status, $out, $err.
kit=$(cd "$(dirname "$1")/.." && pwd)
acme=$PWD/acme
mkdir -p "$acme/spec"
cat >"$acme/init.lua" <<'LUA'
local provider = Provider { apiVersion = 1, code = "acme", name = "Acme", version = "1.0.0" }
local HOURS = 6

function provider.executeBackup(backup, backupResult)
  backupResult.status = BackupStatusUtility.IN_PROGRESS
end

function provider.refreshBackupResult(backupResult)
  if time.now() - backupResult.startDate >= HOURS * 3600 * 1000 then backupResult.status = BackupStatusUtility.SUCCEEDED end
end

function provider.deleteBackupResult() return true end

return provider
LUA
cat >"$acme/spec/acme_spec.lua" <<'LUA'
local test = require "orrery.test"

describe("acme", function()
  it("takes six hours", function()
    local result = test.run.backup {}
    assert.result(result).succeeded().deleted()
    assert.equal(6 * 3600, result.took)
  end)
  it("is not done after one", function()
    local result = test.run.create():run()
    test.clock:advance(3600)
    assert.result(result:show()).running()
  end)
end)
LUA

. "$(dirname "$1")/../../said.sh"

o() { "$ORRERY" "$@"; }
