. "$1" # On a terminal: colours, a bar, and questions. `script` gives us one.

terminal() { printf %s "$1" | script -qec "'$ORRERY' --data '$data' --providers '$providers' --setting shipped_providers=false $2" typescript >/dev/null; }
escape=$(printf '\033')

o backup create nap --provider nap --set seconds=1.5 >/dev/null
TERM=xterm
export TERM
terminal "" "backup run nap --wait"
ok "a bar is drawn" grep -q '\[.*\].*IN_PROGRESS' typescript
ok "in place" grep -q "$escape\\[K" typescript
terminal "" "result ls"
ok "the list has colours" grep -q "$escape\\[32m" typescript
NO_COLOR=1
export NO_COLOR
terminal "" "result ls"
ok "but not with NO_COLOR" sh -c "! grep -q '$escape' typescript"
unset NO_COLOR
terminal "" "--color never backup run nap --wait"
ok "--color never: no bar, no colours" sh -c "! grep -q '$escape' typescript"
terminal "n
" "backup rm nap --with-results"
ok "rm asks" grep -q "Remove backup 'nap' and all its results? \[y/N\]" typescript
run backup show nap
ok "no is no" exits 0
terminal "y
" "backup rm nap --with-results"
run backup show nap
ok "yes is yes" exits 4

# Text from outside cannot steer the terminal.
printf 'local p = Provider { apiVersion = 1, code = "evil", name = "Evil", version = "1" }\nfunction p.executeBackup(b, r) return false, "\\27[31mred\\7\\nmore" end\nreturn p\n' >providers/evil.lua
o backup create evil --provider evil >/dev/null
run backup run evil --wait
ok "the execution was halted" exits 1
ok "its message is shown" says "red"
ok "without its control characters" sh -c "! grep -q '$escape' out err"
