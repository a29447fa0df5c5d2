. "$1" # Completion: what is offered, and that each of the three shells shows it.

bin=$PWD/bin
mkdir bin
ln -s "$ORRERY" bin/orrery
export ORRERY_DATA="$data" ORRERY_PROVIDERS="$providers" PATH="$bin:$PATH"
offers() { orrery complete "$@" >out 2>err; out=$(cat out) err=$(cat err) status=$?; }
one() { grep -q "^$1	" out; }
none() { ! one "$1"; }
silent() { [ -z "$out$err" ]; }

offers ""
ok "nouns, with what they are about" one backup
ok "and help" one help
offers ba
ok "only what begins so" sh -c '[ "$(cut -f1 out)" = backup ]'
offers backup r
ok "verbs of a noun" one resume
ok "not those of another" none result
offers backup run x --
ok "the options of a command" one --wait
ok "not those of another" none --limit
ok "the options of every command" one --json
offers backup run x --wait --w
ok "an option that was given is not offered again" none --wait
offers result ls --status=SUCC
ok "values behind =" one --status=SUCCEEDED
offers --color ""
ok "the words of a choice" one always
offers completion ""
ok "also of a positional" one fish
offers db backup ""
ok "paths are the shell's business" says :files
offers --data ""
ok "folders too" says :dirs
offers backup create x --tz Europe/B
ok "time zones" one Europe/Berlin
offers --setting z
ok "settings" one zoneinfo=
offers backup show ""
ok "no names where nothing runs, and nothing is said" silent
offers nonsense words --and -x ""
ok "nonsense is met with silence" exits 0
ok "nothing of that has made a data directory" test ! -e "$data"
o backup create early --provider nap --set seconds=0 >/dev/null
offers backup show ""
ok "nothing is opened for the sake of names" silent

start_serve
o backup create "two words" --provider nap --set seconds=0 --json >/dev/null
o backup run early --wait >/dev/null 2>&1
# What a runtime knows is offered if it answers within the 0.3 s that somebody who types is made to wait. A busy machine may take longer: then
# TAB is pressed again.
offered() { word=$1; shift; offers "$@"; one "$word"; }
ok "names of backups" until_ok offered early backup show ""
ok "names with blanks" one "two words"
ok "codes of providers" until_ok offered nap backup create x --provider ""
ok "the options that a provider declares" until_ok offered seconds= backup create x --provider nap --set ""
ok "also of the Backup's provider" until_ok offered slow= backup run early --set ""
ok "the hooks that a provider has" until_ok offered executeBackup provider call nap exec
results() { offers result show ""; grep -q '^[0-9a-f]\{8\}	early SUCCEEDED' out; }
ok "ids of results, with what they are" until_ok results

# Bash, as readline calls it: words taken apart at = and :.
cat >bash.sh <<'BASH'
source <(orrery completion bash)
compopt() { printf '%s ' "$*"; }
try() { COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=(); "$(complete -p orrery | sed 's/.*-F \([^ ]*\).*/\1/')"; printf '%s\n' "${COMPREPLY[*]}"; }
try orrery back
try orrery backup show tw
try orrery result ls --status = FA
try orrery result ls --status =
try orrery backup create x --provider nap --set se
try orrery db backup ./bash
BASH
line() { [ "$(sed -n "$1p" out)" = "$2" ]; }
in_bash() { bash bash.sh >out 2>err; [ -n "$(sed -n 2p out)" ] && [ -n "$(sed -n 5p out)" ]; } # what the runtime was asked for
until_ok in_bash
out=$(cat out) err=$(cat err)
ok "bash: a noun" line 1 backup
ok "bash: a name with a blank is quoted" line 2 'two\ words'
ok "bash: behind a =" line 3 FAILED
ok "bash: right behind a =" sh -c "sed -n 4p out | grep -q 'START_REQUESTED.*FAILED'"
ok "bash: no blank behind key=" line 5 '-o nospace seconds='
ok "bash: files" line 6 '-o filenames ./bash.sh'
ok "bash: no complaints" test ! -s err

if command -v fish >/dev/null; then
  in_fish() {
    HOME=$PWD fish -c 'orrery completion fish | source
      complete -C "orrery back"; complete -C "orrery backup show tw"; complete -C "orrery result ls --status=FA"; complete -C "orrery db backup ./bash"' >out 2>err
    [ "$(wc -l <out)" -ge 4 ]
  }
  until_ok in_fish
  out=$(cat out) err=$(cat err)
  ok "fish: a noun with its description" line 1 'backup	what is backed up, by which provider, when'
  ok "fish: a name with a blank" line 2 'two words	nap'
  ok "fish: behind a =" line 3 '--status=FAILED'
  ok "fish: files" line 4 ./bash.sh
  ok "fish: no complaints" test ! -s err
else
  echo "skip fish is not installed"
fi

# Zsh on a terminal of its own: TAB is pressed, and what was completed is carried out by a function that takes notes.
if command -v zsh >/dev/null; then
  cat >zsh.zsh <<'ZSH'
zmodload zsh/zpty
zpty shell zsh -f -i
say() { zpty -w shell "$1"; }
wait_for() { local i; for i in {1..600}; do [[ -e $1 ]] && return 0; zpty -r -t shell >/dev/null; sleep 0.1; done; return 1; }
say 'PS1=; autoload -Uz compinit; compinit -u -D; source <(command orrery completion zsh)'
say 'orrery() { if [[ $1 == complete ]]; then command orrery "$@"; else print -r -- "$@" >>ran; touch done.$#; fi }'
say 'touch ready'
wait_for ready
zpty -w -n shell $'orrery back\tcre\tx --provider na\t--set se\t1\n'
wait_for done.7
zpty -w -n shell $'orrery result ls --status=FA\t\n'
wait_for done.3
rm -f done.3
zpty -w -n shell $'orrery backup show tw\t\n'
wait_for done.3
zpty -d shell
ZSH
  for try in 1 2 3; do
    rm -f ran ready done.*
    timeout 200 zsh -f zsh.zsh >out 2>err
    out=$(cat ran 2>/dev/null) err=$(cat err)
    if says "--set seconds=" && says "two words"; then break; fi # what the runtime was asked for
  done
  ok "zsh: words, options and values" says "backup create x --provider nap --set seconds=1"
  ok "zsh: behind a =" says "result ls --status=FAILED"
  ok "zsh: a name with a blank" says "backup show two words"
else
  echo "skip zsh is not installed"
fi

made=$(dirname "$ORRERY")/made
if [ -d "$made" ]; then
  for shell in bash zsh fish; do
    orrery completion $shell >out
    ok "$shell: what is installed is what is printed" cmp -s out "$made/orrery.$shell"
  done
fi
run completion tcsh
ok "an unknown shell exits 2" exits 2
ok "and says which there are" complains "bash, zsh and fish"
