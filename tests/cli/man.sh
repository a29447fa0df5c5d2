. "$1" # The manual pages, made from the command table: whole, and clean for those who format them.

made=$(dirname "$ORRERY")/made/man1
[ -d "$made" ] || { echo "skip no pages beside $ORRERY"; echo "ok nothing to look at"; exit 0; }
page() { LC_ALL=C.UTF-8 MANWIDTH=100 man -P cat -l "$made/orrery$1.1" | col -b; }

page "" >out
missing=
for option in $(o --help | sed -n 's/^  .*\(--[a-z-]*\).*/\1/p'); do grep -q -e "$option" out || missing="$missing $option"; done
ok "orrery(1) has every global option" test -z "$missing"
o --help | sed -n '/^Commands:/,/^Options/s/^  \([a-z][a-z-]*\) \([a-z-]*\).*/\1 \2/p' >commands
ok "there are commands" test "$(wc -l <commands)" -gt 30
missing=
while read -r noun verb; do
  grep -q "^ *$noun $verb" out || missing="$missing $noun-$verb"
  [ -f "$made/orrery-$noun.1" ] || missing="$missing $noun"
  page "-$noun" >noun
  # every option of the command, as --help has them
  for option in $(o $noun $verb --help | sed -n '/^Options:/,/^$/s/^  \(--[a-z-]*\).*/\1/p'); do
    grep -q -e "^ *$option" noun || missing="$missing $noun-$verb:$option"
  done
done <commands
ok "every command and option stands in the page of its noun:$missing" test -z "$missing"
ok "what the exit status means is told" grep -q '130  *interrupted' out
page -backup >out
ok "examples stand as they are typed" grep -q 'orrery backup run docs --set label=before-upgrade --wait --json' out
page -serve >out
ok "settings are told" grep -q 'memory_limit' out

bad=
for file in "$made"/*.1; do
  LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z "$file" 2>>err >/dev/null
  groff -man -ww -Tutf8 "$file" 2>>err >/dev/null
  # A date would make two builds of the same source differ.
  if command -v mandoc >/dev/null; then mandoc -Tlint -W warning "$file" | grep -v 'missing date' >>err; fi
  # A plain hyphen cannot be copied from a page into a shell.
  grep -n '[^\\]--' "$file" | grep -v '^1:' >>err
done
err=$(cat err)
ok "no formatter complains" test -z "$err"
