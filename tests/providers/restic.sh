. "$1" # restic: a repository, snapshots, and what may be wrong with them

printf 'correct horse\n' >password
repository=$PWD/repository
vault() { RESTIC_PASSWORD="correct horse" command restic --no-cache -r "$repository" "$@"; }
snapshots() { vault snapshots --json | grep -o '"short_id"' | wc -l; }

run connection add vault --provider restic --set repository="$repository"
ok "the password is required" complains "password: "
o connection add vault --provider restic --set repository="$repository" --set password=@password >/dev/null
run connection test vault
ok "a repository that is not there yet: exit 1" exits 1
ok "which says that the first backup makes it" complains "the first backup makes it"
ok "and testing has not made it" test ! -e "$repository"
run backup create docs --provider restic --set path="$PWD/source"
ok "a connection is needed" complains "needs a connection"
run backup create docs --provider restic --connection vault --set path="$PWD/nothing"
ok "a path that is not there" complains "$PWD/nothing does not exist"
run backup create docs --provider restic --connection vault --set path=source
ok "a path that is not absolute" complains "must be an absolute path"
run backup create docs --provider restic --connection vault --set path="$PWD/source" --set exclude="*.tmp"
ok "a Backup is created" exits 0

touch source/left.tmp
run backup run docs --wait --json
rm source/left.tmp
ok "the first run makes the repository" ended SUCCEEDED
id=$(field uuid)
first=$(field snapshotId)
ok "the snapshot is the external id" is "$(field externalId)" "$first"
ok "its size is that of the files" is "$(field sizeInBytes)" 12
ok "it is tagged with the result's uuid" is "$(vault snapshots --json --tag "$id" | grep -o "$first" | head -n 1)" "$first"
ok "nothing is marked sent: jobs can be started again" is "$(field sentDate)" null
ok "the password is in no file" not grep -rqs "correct horse" data
ok "progress is kept in the job's own output" says '"job":"backup-1"'

run connection test vault --json
ok "then the connection works" exits 0
number=$(vault cat config | grep -o '"id": "[0-9a-f]*"' | cut -d'"' -f4)
ok "and tells the repository's id" says "\"id\":\"${number:-none}\""
ok "testing leaves no lock" is "$(ls "$repository/locks" | wc -l)" 0

run result extract "$id" --to there/ --json
ok "restored into a folder, it is the source" same source there
run result extract "$id" --to out.tar --json
mkdir untarred && tar -xf out.tar -C untarred
ok "a tar file holds the same" same source untarred
ok "with its digest" is "$(field sha256)" "$(sha256sum <out.tar | cut -d' ' -f1)"
ok "and its size" is "$(field sizeInBytes)" "$(stat -c %s out.tar)"
ok "nothing is left beside it" is "$(ls -d out.tar*)" out.tar
mkdir piped && o result extract "$id" --to - 2>/dev/null | tar -xf - -C piped
ok "the tar file goes to standard output" same source piped
run result extract "$id" --to /proc/nowhere/
ok "where nothing can be written: an error" exits 1

run backup create one --provider restic --connection vault --set path="$PWD/source/a name with blanks"
run backup run one --wait --json
ok "a single file" ended SUCCEEDED
run result extract "$(field uuid)" --to single/
ok "is restored by its name" cmp -s "source/a name with blanks" "single/a name with blanks"
run result rm "$(o result ls --backup one --json | grep -o '"uuid":"[^"]*"' | head -n 1 | cut -d'"' -f4)" --yes
ok "a result goes" exits 0
ok "and its snapshot is forgotten, no other" is "$(snapshots)" 1

# On request, once, after a backup: the data of what was forgotten goes.
vault backup --quiet --tag stranger "$PWD/password" >/dev/null
head -c 3000000 /dev/urandom >source/large
run backup run docs --wait --json
id=$(field uuid)
before=$(du -s repository/data | cut -f1)
rm source/large
o result rm "$id" --yes >/dev/null
ok "forgetting frees nothing" is "$(du -s repository/data | cut -f1)" "$before"
run backup run docs --set prune=true --wait --json
ok "a backup with prune=true" ended SUCCEEDED
ok "has pruned" test "$(du -s repository/data | cut -f1)" -lt $((before - 2000))

# What goes wrong.
run backup run docs --wait --set note=again --json
mv repository away
run backup run docs --wait --json
ok "a repository that has gone: FAILED, no new one" ended FAILED
ok "which says so" says "there is no repository at $repository"
ok "and asks the right question" says "is it mounted?"
ok "it was not made again" test ! -e repository
run result rm "$(field uuid)" --yes
ok "a result without a snapshot goes all the same" exits 0
mv away repository

echo other words >wrong
o connection add wrong --provider restic --set repository="$repository" --set password=@wrong >/dev/null
o backup create wrong --provider restic --connection wrong --set path="$PWD/source" >/dev/null
run connection test wrong
ok "a wrong password does not pass the test" complains "wrong password for the repository $repository"
run backup run wrong --wait --json
ok "a wrong password: FAILED" ended FAILED
ok "which says so" is "$(field errorMessage)" "wrong password for the repository $repository"
ok "exit 1" exits 1
ok "nothing was started" is "$(ls data/jobs | grep -c "$(field uuid)")" 0
o connection add refused --provider restic --set repository="rest:http://me:hush-hush@127.0.0.1:1/x" --set password=@wrong --set environment="RESTIC_CACHE_DIR=$PWD/cache" >/dev/null
o backup create refused --provider restic --connection refused --set path="$PWD/source" >/dev/null
run connection test refused
ok "nor does a server that refuses" exits 1
ok "without the password in the location" not complains hush-hush
run backup run refused --wait --json
ok "a server that refuses: FAILED" ended FAILED
ok "which says so" says "connection refused"
ok "without the password in the location" not says hush-hush

only tar sh
run backup run docs --wait --json
tools=$PATH
ok "restic is missing: FAILED" ended FAILED
ok "which names the package" is "$(field errorMessage)" "restic is not installed (Debian package restic)"
mv source gone
run backup run docs --wait --json
ok "a path that has gone: FAILED" is "$(field errorMessage)" "$PWD/source does not exist"
mv gone source

if [ "$(id -u)" -eq 0 ]; then
  echo "skip what permissions do: this is root"
else
  chmod 0 source/one
  run backup run docs --wait --json
  chmod 600 source/one
  ok "a file that cannot be read is a warning" ended SUCCEEDED_WARNING
  ok "which names it" is "$(field statusMessage)" "could not read $PWD/source/one"
  ok "exit 3" exits 3
  ok "there is a snapshot" test "$(field snapshotId)" != null
fi

run backup rm docs --with-results --opt prune=true --yes
ok "the Backup goes with its results" exits 0
ok "others' snapshots stay" is "$(snapshots)" 1
ok "and the repository is sound" vault check --quiet
