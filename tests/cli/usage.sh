. "$1" # What is typed: words, options, values, and what is said when they are wrong.

run
ok "no command is wrong usage" exits 2
run backp ls
ok "a misspelt noun exits 2" exits 2
ok "a misspelt noun gets the nearest" complains "did you mean 'backup'?"
run backup craete
ok "a misspelt verb gets the nearest" complains "did you mean 'create'?"
run backup create x --provder nap
ok "a misspelt option exits 2" exits 2
ok "a misspelt option gets the nearest" complains "did you mean '--provider'?"
run result ls --schedule x
ok "an option of another command is refused" exits 2
run backup create
ok "all that is missing is listed" complains "NAME: NAME is missing"
ok "all that is missing is listed, options too" complains "provider: --provider is missing"
run backup show one two
ok "a word too many is refused" complains "one word too many: 'two'"
run backup create x --provider nap --refresh-interval soon
ok "a number must be one" complains "refresh-interval: 'soon' is no duration"
run result ls --limit -1
ok "a count must be one" complains "limit: '-1' is not a whole number from 0"
run result ls --limit 0x10
ok "in decimal" exits 2
run result ls --limit ""
ok "nothing is no number" exits 2
run backup create x --provider nap --provider other
ok "an option that is given twice is refused" exits 2
ok "with both values" complains "--provider is given twice, 'nap' and 'other'"
run backup create x --provider nap --refresh-interval -5 --set seconds=1
ok "a number out of its range is refused" exits 2
run backup create "" --provider nap --set seconds=1
ok "an empty name is refused" exits 2
run backup show ""
ok "nothing is called nothing" exits 4
run backup create "$(printf 'a\nb')" --provider nap --set seconds=1
ok "a name of two lines is refused" exits 2
ok "in one line" test "$(wc -l <err)" = 1
run backup show -- --help
ok "behind -- there are no options" complains "no backup '--help'"
run backup show --data
ok "an option at the end wants its value" complains "--data needs a value"
run backup ls -vx
ok "an unknown letter among letters is refused" complains "-vx"
o provider ls -qv >out 2>err
ok "letters can stand together" grep -qx nap out
long=$(head -c 100000 /dev/zero | tr '\0' x)
run backup show "$long"
ok "100,000 letters are a name that is not there" exits 4
ok "and are not all repeated" test "$(wc -c <err)" -lt 3000
run "$long"
ok "nor are they a command" exits 2
o backup create x --provider nap --set seconds="$(printf '\377')" 2>err
status=$?
ok "what is no UTF-8 is refused" exits 2

# Standard streams that do not work.
o provider ls >/dev/full 2>err
status=$? err=$(cat err)
ok "a full standard output is a failure" exits 1
ok "which is said" complains "standard output: disk full"
o --help >/dev/full 2>err
status=$?
ok "also of --help" exits 1
o provider ls >&- 2>err
status=$? err=$(cat err)
ok "a closed standard output is a failure" exits 1
ok "and said" complains "standard output is closed"
o provider ls >out 2>&-
status=$?
ok "a closed standard error is none" exits 0
o provider ls <&- >&- 2>&-
status=$?
ok "without any standard stream a failure is still one" exits 1
o db check >out
status=$?
ok "and the database stays whole" exits 0
{ o provider show nap; echo $? >status; } 2>err | :
ok "who has seen enough may leave" test ! -s err
rm -rf "$data"

run --color pink backup ls
ok "a word of a choice must be one of it" exits 2
run --setting stoer=memory backup ls
ok "an unknown setting exits 2" exits 2
run --version
ok "--version" says "orrery 0."
run events --help
ok "--help of a command has its exit codes" says "130"
run backup create --help
ok "--help of a command has its examples" says "orrery backup create docs --provider archive"
run backup --help
ok "--help of a noun lists its verbs" says "backup resume NAME"
run help set
ok "help set tells how values are written" says "key:=json"
ok "nothing of that has opened a data directory" test ! -e "$data"

run backup show nothing
ok "what is not there exits 4" exits 4
run backup create x --provider nopro
ok "an unknown provider is an error" test "$status" -ne 0
run backup create x --provider nap
ok "a missing option exits 2" exits 2
ok "a missing option is named" complains "seconds:"
run backup create x --provider nap --set seconds=1 --schedule '* * * * x'
ok "the position of a cron fault is told" complains "column 9"
run backup create x --provider nap --set seconds=1 --schedule @daily --tz Mars/Olympus
ok "an unknown zone exits 2" exits 2
run backup create x --provider nap --set seconds
ok "--set wants key=value" complains "should be key=value"

# What --set means, seen in the executionConfig of a run, which is kept as it was given.
o backup create b --provider nap --set seconds=0 >/dev/null
printf 'from file\n' >value
printf 'from stdin\n' >stdin
o backup run b --json --set text=12 --set num:=12 --set 'list=["a"]' --set 'brace={x' --set a.b=1 --set a.c=2 --set 'd\.e=3' \
  --set file=@value --set in=- --set big:=12345678901234567890 --set text=last -- <stdin >out 2>err
status=$?
ok "a run with all forms of --set" exits 0
ok "text stays text, the last one counts" json 'r["executionConfig"]["text"] == "last"'
ok ":= is JSON" json 'r["executionConfig"]["num"] == 12'
ok "a list is JSON" json 'r["executionConfig"]["list"] == ["a"]'
ok "what only begins like JSON is text" json 'r["executionConfig"]["brace"] == "{x"'
ok "dots make maps" json 'r["executionConfig"]["a"] == {"b": "1", "c": "2"}'
ok "an escaped dot does not" json 'r["executionConfig"]["d.e"] == "3"'
ok "@ reads a file without its last line end" json 'r["executionConfig"]["file"] == "from file"'
ok "- reads standard input" json 'r["executionConfig"]["in"] == "from stdin"'
ok "a large integer is not rounded" json 'r["executionConfig"]["big"] == "12345678901234567890"'
run backup run b --set a=1 --set a.b=2
ok "a value cannot be a map too" exits 2
run backup run b --set a=- --set b=-
ok "standard input is read once" complains "once only"
run backup run b --set a=@/nonexistent
ok "a file that is not there is told with its key" complains "a:"

# Every command there is, with what none of them can want.
o --help | sed -n '/^Commands:/,/^Options/s/^  \([a-z][a-z-]*\) *\([a-z-]*\)  *\([A-Za-z|]*\).*/\1 \2 \3/p' >commands
ok "there are commands" test "$(wc -l <commands)" -gt 30
control=$(printf '\033[31mred\nand\007more')
bad=
while read -r noun verb rest <&3; do
  words="$noun $verb"
  run $words --nonsense
  [ "$status" = 2 ] && complains "unknown option '--nonsense'" || bad="$bad [$words --nonsense: $status]"
  run $words one two three four five six
  [ "$status" = 2 ] || bad="$bad [$words and six words: $status]"
  run $words --json=yes
  [ "$status" = 2 ] || bad="$bad [$words --json=yes: $status]"
  [ "$words" = "serve " ] && continue
  for word in "" "$control" "--" ../../etc/passwd; do
    o $words "$word" --yes >out 2>err </dev/null
    status=$?
    case $status in [0-8]) ;; *) bad="$bad [$words '$word': $status]" ;; esac
    if LC_ALL=C grep -q "$(printf '\033\|\007')" out err; then bad="$bad [$words: control characters]"; fi
  done
done 3<commands
ok "each refuses what it does not know, and survives the rest$bad" test -z "$bad"
