. "$1" # archive: a folder as one compressed tar file

run backup create docs --provider archive
ok "both options are missed at once" sh -c 'grep -q "path: .* is required" err && grep -q "target: .* is required" err'
ok "that is exit 2" exits 2
run backup create docs --provider archive --set path="$PWD/nothing" --set target=here
ok "a path that is not there" complains "there is no folder $PWD/nothing"
ok "a target that is not absolute" complains "must be an absolute path"
run backup create docs --provider archive --set path="$PWD/source" --set target="$PWD/source/sub"
ok "a target within the path" complains "lies within the path"
run backup create docs --provider archive --set path="$PWD/source" --set target="$PWD/made/archives"
ok "a Backup is created" exits 0

run backup run docs --wait --json
ok "it succeeds" exits 0
ok "with the status" ended SUCCEEDED
id=$(field uuid)
file=$(field resultPath)
ok "the archive is where the result says, in a folder that was made" test -s "$file"
ok "its size is the file's" is "$(field sizeInBytes)" "$(stat -c %s "$file")"
ok "its name tells the Backup and the result" sh -c "case $(field resultArchive) in docs-20*-$(printf %.8s "$id").tar.zst) ;; *) exit 1 ;; esac"
ok "nothing of it is marked sent: jobs can be started again" is "$(field sentDate)" null

run result extract "$id" --to unpacked/ --json
ok "extract into a new folder" same source unpacked
mkdir there
run result extract "$id" --to there
ok "extract into a folder that is there" same source there
run result extract "$id" --to copy.tar.zst --json
ok "extract to a file" cmp -s "$file" copy.tar.zst
ok "with its digest" is "$(field sha256)" "$(sha256sum <copy.tar.zst | cut -d' ' -f1)"
o result extract "$id" --to - >piped 2>/dev/null
ok "extract to standard output" cmp -s "$file" piped
run result rm "$id" --yes
ok "a result goes" exits 0
ok "and its archive with it" test ! -e "$file"

# zstd that waits: there is time to cancel.
tool zstd <<'SH'
case "$1" in --version) exec "$real" "$@" ;; esac
sleep 60
SH
run backup run docs --json
id=$(field uuid)
run result cancel "$id" --wait --json
ok "a running one is cancelled" ended CANCELLED
ok "and its half archive removed" is "$(ls made/archives)" ""
rm bin/zstd

only tar sh
run backup run docs --wait --json
tools=$PATH
ok "zstd is missing: FAILED" ended FAILED
ok "which names the package" is "$(field errorMessage)" "zstd is not installed (Debian package zstd)"

if [ "$(id -u)" -eq 0 ]; then
  echo "skip what permissions do: this is root"
else
  chmod 0 source/one
  run backup run docs --wait --json
  chmod 600 source/one
  ok "a file that cannot be read is a warning" ended SUCCEEDED_WARNING
  ok "which names it" says "./one: Warning: Cannot open: Permission denied"
  ok "exit 3" exits 3
  chmod 500 made/archives
  run backup run docs --wait --json
  chmod 700 made/archives
  ok "a target that cannot be written: FAILED" ended FAILED
  ok "which says so" says "Cannot open: Permission denied"
fi
mv source gone
run backup run docs --wait --json
ok "a path that has gone: FAILED" ended FAILED
ok "which names it" says "$PWD/source"
mv gone source
run backup rm docs --with-results --yes
ok "the Backup goes with its results" exits 0
ok "and their archives" is "$(ls made/archives)" ""
