. "$1" # restic: a database restored from an older copy, and the snapshots that it does not know of

printf 'correct horse\n' >password
printf 'other words\n' >wrong
repository=$PWD/repository
vault() { RESTIC_PASSWORD="correct horse" command restic --no-cache -r "$repository" "$@"; }
backed_up() { run backup run docs --wait --json && field uuid; }

o connection add vault --provider restic --set repository="$repository" --set password=@password >/dev/null
o connection add other --provider restic --set repository="$repository" --set password=@wrong >/dev/null
o backup create docs --provider restic --connection vault --set path="$PWD/source" >/dev/null

run orphans find --connection vault
ok "where there is no repository nothing can be said: exit 1" exits 1
ok "which says so" complains "there is no repository at $repository"
known=$(backed_up)
run orphans find --connection vault --json
ok "what is known is no orphan" is "$out" "[]"

o db backup older.db >/dev/null
second=$(backed_up)
third=$(backed_up)
vault backup --quiet --tag stranger "$PWD/password" >/dev/null
vault backup --quiet --tag orrery "$PWD/password" >/dev/null
rm -f data/orrery.db data/orrery.db-wal data/orrery.db-shm
cp older.db data/orrery.db
run result ls --json
ok "the older copy knows the first result" says "$known"
ok "and not the later ones" not says "$second"

before=$(vault snapshots --json)
run orphans find --connection vault --json
ok "they are found in the repository" exits 0
ok "the second" says "$second"
ok "the third" says "$third"
ok "and not the first" not says "$known"
ok "nor what has no key of ours" is "$(printf '%s\n' "$out" | grep -o '"uuid"' | wc -l)" 2
run orphans ls
ok "they stay listed" says "$(printf %s "$second" | cut -c1-8)"
ok "with their snapshot" says "$(vault snapshots --json --tag "$second" | grep -o '"short_id":"[0-9a-f]*"' | cut -d'"' -f4)"
run status
ok "status has them" says "2 orphans"
run orphans find --connection vault --json
ok "the second time none is new" is "$out" "[]"
ok "the repository is as it was" is "$(vault snapshots --json)" "$before"
run result extract "$known" --to there/ --json
ok "the first result can be restored" same source there

run orphans find --connection other
ok "with a wrong password: exit 1" exits 1
ok "which says so" complains "wrong password for the repository $repository"
run orphans find --connection nowhere
ok "a connection that is not there: exit 4" exits 4
ok "which is named" complains "nowhere"
mv repository away
run orphans find --connection vault
mv away repository
ok "a repository that has gone: exit 1" exits 1
ok "and the right question" complains "is it mounted?"
run orphans ls --json
ok "nothing of that has changed the list" is "$(printf '%s\n' "$out" | grep -o '"uuid"' | wc -l)" 2

run orphans rm "$(printf %s "$third" | cut -c1-8)" --yes
ok "one that was seen to is taken off" exits 0
vault forget --quiet --tag "$second" >/dev/null 2>&1
run orphans find --connection vault --json
ok "while it is outside, it is found again" says "$third"
ok "and once" is "$(printf '%s\n' "$out" | grep -o '"uuid"' | wc -l)" 1
