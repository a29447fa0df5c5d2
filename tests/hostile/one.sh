# Runs one hostile provider in the runtime that serves $DATA, and says how it ended: sh one.sh FILE. Read by nobody, called by run.sh.
#
# Prints "ok NAME: END, late N ms" or "not ok NAME: ...". The hook's own start and end are the journal's.
set -u
file=$1
name=$(basename "$file" .lua)
expect=$(sed -n 's/^-- expect: //p' "$file")
outcome=${expect%% *}
text=${expect#* }
[ "$text" != "$expect" ] || text=
say() {
  echo "$1 $name: $2"
  exit 0
}
o() { "$ORRERY" --data "$DATA" "$@"; }
has() { case $1 in *"$2"*) ;; *) return 1 ;; esac; }

set --
grep -q 'fieldName = "password"' "$file" && set -- --set "password=@$PLACE/own"
made=$(o backup create "$name" --provider "$name" "$@" --json 2>&1)
if [ "$outcome" = refused ]; then
  has "$made" "$name.lua:" || say "not ok" "refused, but not with the file and line: $made"
  has "$made" "$text" || say "not ok" "expected \"$text\": $made"
  say ok "refused"
fi
timeout 200 "$ORRERY" --data "$DATA" backup run "$name" --wait --json >/dev/null 2>&1
id=$(o result ls --backup "$name" --quiet 2>/dev/null | head -n 1)
[ -n "$id" ] || say "not ok" "there is no result: $made"
shown=$(o result show "$id" --journal --json 2>&1 | sed 's/.*"ops"://')
field() { printf '%s' "$shown" | sed -n "s/.*\"hook\":\"executeBackup\"[^}]*\"$1\":\"\{0,1\}\([^,}]*\).*/\1/p" | tr -d '"'; }
ended=$(field outcome)
has "/$outcome/" "/${ended:-nothing}/" || say "not ok" "ended with ${ended:-nothing}, not $outcome: $shown"
line=
has "$text" " @here" && line=$(grep -n -e '-- here$' "$file" | cut -d: -f1):
text=${text% @here}
has "$shown" "$text" || say "not ok" "expected \"$text\": $shown"
case $outcome in
timeout*) has "$shown" "$name 1: executeBackup: " || say "not ok" "names no provider, version and hook: $shown"
  has "$shown" "$name.lua:$line" || say "not ok" "does not say where it was: $shown"
  has "$shown" "stack traceback:" || say "not ok" "has no traceback: $shown" ;;
esac
took=$(($(field endDate) - $(field startDate)))
late=
if has "$outcome" timeout; then
  seconds=$(sed -n 's/.*executeBackup = \([0-9.]*\).*/\1/p' "$file")
  late=$(awk "BEGIN { printf \"%d\", $took - 1000 * $seconds }")
fi
say ok "$ended after $took ms${late:+, late $late ms}"
