. "$1" # The key that seals secrets: what the database gives away, changing it, losing it.

password=Geheim-4711-Passwort
token=Zeichen-0815-Token
cat >"$providers/vault.lua" <<'LUA'
local provider = Provider {
  apiVersion = 1, code = "vault", name = "Vault", version = "1.0.0",
  optionTypes = { { fieldName = "pin", inputType = "password" } },
  connectionOptionTypes = { { fieldName = "apiSecret", inputType = "password" } },
  needs = { exec = { "sh" } },
}

local function spell(backup)
  local connection = backup.connection
  return table.concat({ connection.password, connection:getConfigProperty("apiSecret") or "", backup:getConfigProperty("pin") or "" }, "+")
end

-- A local job, so that there is a job folder to look through; the secrets go by its environment and its standard input.
function provider.executeBackup(backup, backupResult)
  job.start { name = "work", argv = { "sh", "-c", "cat >/dev/null; exit 0" }, env = { SECRET = spell(backup) }, stdin = spell(backup) }
  backupResult:setConfigProperty("digest", hash.sha256(spell(backup)))
  print("spelt: " .. spell(backup))
end

function provider.refreshBackupResult(backupResult)
  if job.poll("work").state == "running" then return end
  backupResult.status = "SUCCEEDED"
end

return provider
LUA

digest() { # the secrets as a hook sees them
  o backup run safe --wait --json >out && get out 'r["config"]["digest"]'
}

printf %s "$password" | o connection add box --provider vault --password-stdin --set apiSecret="$token" >/dev/null
o backup create safe --provider vault --connection box --set pin=9876543210 >/dev/null
run backup run safe --wait --json
ok "a hook sees the secrets" exits 0
first=$(digest)

# Losing the database reveals nothing: neither it, its log, nor the folders of jobs, raw or in another form.
python3 - "$data" "$password" "$token" 9876543210 >found <<'PY'
import base64, os, sys
def forms(secret):
    raw = secret.encode()
    yield from (raw, raw.hex().encode(), raw.hex().upper().encode(), raw[::-1], secret.encode("utf-16-le"))
    for lead in range(3):  # wherever it begins within base64's groups of three
        whole = base64.b64encode(b"x" * lead + raw)
        yield whole[4 if lead else 0:-4]
found, files = [], 0
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        path = os.path.join(folder, name)
        if not os.path.isfile(path) or name == "secret.key": continue
        files += 1
        data = open(path, "rb").read()
        for secret in sys.argv[2:]:
            if any(form in data for form in forms(secret)): found.append(f"{secret} in {path}")
print(files > 3, found)
PY
ok "nothing but the key file gives a secret away" test "$(cat found)" = "True []"
ok "the key file is its owner's alone" test "$(stat -c %a "$data/secret.key")" = 600

run key show --json
ok "key show names the key" json 'len(r["keys"]) == 1 and len(r["keys"][0]["id"]) == 8 and r["keys"][0]["state"] == "current"'
old=$(get out 'r["keys"][0]["id"]')
ok "and never shows it" sh -c "! grep -q \"\$(cut -c 1-64 '$data/secret.key')\" out"

start_serve
cp "$data/secret.key" old.key
run key rotate --json
ok "the key changes while serve runs" exits 0
run key show --json
new=$(get out 'r["keys"][0]["id"]')
ok "to another one" test "$new" != "$old"
ok "one key is left" json 'len(r["keys"]) == 1'
ok "the old one is gone from the file" test "$(wc -l <"$data/secret.key")" -eq 1
ok "what is sealed opens with the new one" test "$(digest)" = "$first"
end_serve
ok "after a restart too" test "$(digest)" = "$first"
o db backup "$PWD/copy.db" >/dev/null
ok "a copy of the database names the new key only" sh -c "grep -qa 's2:$new' copy.db && ! grep -qa 's2:$old' copy.db"

cp "$data/secret.key" good.key
cp old.key "$data/secret.key"
run connection ls
ok "an old key is refused" exits 1
ok "by its id" complains "holds key $old, but"
run serve
ok "serve refuses it, too" exits 1
rm "$data/secret.key"
run connection ls
ok "a missing key is an error" exits 1
ok "which says what to do" complains "put your copy of the file back"
ok "no new one is made" test ! -e "$data/secret.key"
cp good.key "$data/secret.key"
chmod 640 "$data/secret.key"
run connection ls
ok "a key that others can read is refused" exits 5
ok "and says what to do" complains "chmod 600"
rm "$data/secret.key"

# A key elsewhere: by its setting, and as systemd hands it over.
chmod 600 good.key
run connection ls --setting key_file="$PWD/good.key"
ok "the setting key_file" exits 0
ok "then there is none in the data directory" test ! -e "$data/secret.key"
mkdir credentials
cp good.key credentials/orrery.key
chmod 440 credentials/orrery.key
run_with_credential() { CREDENTIALS_DIRECTORY=$PWD/credentials run "$@"; }
run_with_credential connection ls
ok "systemd's credential orrery.key" exits 0
python3 -c 'import os; print(os.urandom(32).hex())' >new.key
cat new.key good.key >both.key
cp both.key credentials/orrery.key 2>/dev/null || { chmod 600 credentials/orrery.key && cp both.key credentials/orrery.key; }
chmod 400 credentials/orrery.key
chmod 500 credentials
if [ "$(id -u)" -ne 0 ]; then
  run_with_credential connection ls
  ok "a line above the old key in a credential" exits 0
  ok "says that the old line can go" complains "remove every line but the first from $PWD/credentials/orrery.key"
  run_with_credential key rotate
  ok "a credential is not replaced" exits 1
  run_with_credential key show --json
  ok "its keys are both there" json 'len(r["keys"]) == 2'
  chmod 700 credentials
  cp new.key credentials/orrery.key 2>/dev/null || { chmod 600 credentials/orrery.key && cp new.key credentials/orrery.key; }
  chmod 400 credentials/orrery.key
  run_with_credential connection ls
  ok "the new key alone opens everything" exits 0
  run_with_credential connection ls
  ok "and nothing more is said" test -z "$err"
  chmod 500 credentials
  run_with_credential key rotate
  ok "a credential that cannot be replaced is refused" exits 5
  ok "and says how else" complains "above the old one"
  chmod 700 credentials
fi
