. "$1" # Schedules as people see them: what one means, what comes next, leaving fires out, policies, a zone that vanishes, an absence.

TZ=UTC
export TZ
run schedule describe "30 2 29 3 *" --tz Europe/Berlin -n 2
ok "a schedule is described" says "at 02:30"
ok "with its zone" says "Europe/Berlin"
ok "and so many fires as were asked for" test "$(grep -c "02:30\|0[0-9]:[0-9][0-9]:00  in" out)" -ge 2
run schedule describe "0 0 13 * 5"
ok "with its warnings" complains "either"
run schedule describe "0 0 30 2 *"
ok "one that never fires is refused" exits 2
ok "in one line" complains "never fires"

hour=$(TZ=Europe/Berlin date -d "12 hours" +%H) # no fire comes between two questions
run backup create home --provider nap --set seconds=0 --schedule "30 ${hour#0} * * *" --tz Europe/Berlin --misfire all --start-deadline 2h --overlap bufferOne \
  --blackout "Mon-Fri 08:00-18:00" --jitter 15m
ok "a Backup is created with policies" exits 0
ok "and what its schedule means is said" says "at $hour:30 every day"
ok "with the next fires" says "; next: "
run backup show home --json
ok "they are stored" json "(r['misfirePolicy'], r['startDeadline'], r['overlapPolicy'], r['blackouts'], r['jitter']) == ('all', 7200, 'bufferOne', 'Mon-Fri 08:00-18:00', 900)"
run backup update home --jitter 0 --blackout "" --start-deadline 90s
ok "and changed" exits 0
run backup show home --json
ok "0 and nothing take one away" json "r['jitter'] is None and r['blackouts'] is None and r['startDeadline'] == 90"
run backup create x --provider nap --set seconds=0 --schedule @daily --misfire some --overlap never --blackout noon --json
ok "what is wrong is refused" exits 2
ok "all of it at once, by field" json "set(r['errors']) >= {'misfirePolicy', 'overlapPolicy'}"
for bad in soon 1x -5 1h30 "" 1.2.3h; do
  run backup create x --provider nap --set seconds=0 --schedule @daily --jitter "$bad"
  ok "'$bad' is no duration" exits 2
done
run backup create x --provider nap --set seconds=0 --jitter 5m
ok "a policy without a schedule is refused" complains "needs a schedule"

run schedule next home -n 3 --json
ok "what comes next is listed" json "len(r['next']) == 3 and all(n['date'] >= n['instant'] for n in r['next'])"
second=$(get out "r['next'][1]['instant']")
run schedule next home -n3
ok "-n3 is -n 3" test "$(grep -c "^20" out)" -eq 3
run schedule next home --limit 2
ok "and --limit 3 is both" test "$(grep -c "^20" out)" -eq 2
run schedule next home -n
ok "-n needs a value" complains "needs a value"
run schedule next home -n 0
ok "and one above 0" exits 2
run schedule next nobody
ok "no such Backup is exit 4" exits 4
run schedule skip home
ok "the next fire is left out" says "1 fire left out"
run schedule next home -n 1 --json
ok "so that the second is the next, in another process" json "r['next'][0]['instant'] == $second"
run events --json
ok "who asked is on record" json "any(e['kind'] == 'schedule.skipped' and e['data'].get('requestedBy') for e in r)"
o backup pause home >pause.out
run schedule skip home
ok "nothing is left out of a paused schedule" exits 5
run schedule next home
ok "which says that it is paused" says "paused"
o backup create plain --provider nap --set seconds=0 >plain.out
run schedule next plain
ok "nor of none" exits 5

# A zone that goes while nobody is there.
mkdir zones
cp /usr/share/zoneinfo/Europe/Berlin zones/Test
zones=$PWD/zones
served() {
  later --setting zoneinfo="$zones" serve --log-format logfmt 2>>serve.log &
  serve=$!
  until_ok grep -q msg=ready serve.log
}
: >serve.log
served
run backup create zoned --provider nap --set seconds=0 --schedule "* * * * *" --tz Test
ok "a zone of one's own" exits 0
end_serve
rm zones/Test
: >serve.log
served
stuck() { o status --json >status.json; grep -q zone_missing status.json; }
until_ok stuck
run status
ok "a zone that is gone needs attention" exits 8
ok "and what to do is said" says "orrery backup update zoned --tz ZONE"
run backup update zoned --tz UTC
ok "another zone ends it" exits 0
well() { run status && [ "$status" = 0 ]; }
ok "at once" until_ok well
end_serve

# Nobody is there for some seconds: one result for them, and the others on record.
: >serve.log
start_serve
o backup create ticks --provider nap --set seconds=0 --schedule "@every 1s" >ticks.out
fired() { o result ls --backup ticks --json | grep -q SUCCEEDED; }
until_ok fired
end_serve
last=$(o result ls --backup ticks --limit 1 --json | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["scheduledDate"])')
passed() { [ $(($(date +%s%3N) - last)) -gt 4000 ]; }
until_ok passed
start_serve
again() { o result ls --backup ticks --limit 1 --json | python3 -c 'import json,sys; sys.exit(not json.load(sys.stdin)[0]["scheduledDate"] > '"$last"' + 4000)'; }
ok "it goes on after an absence" until_ok again
end_serve
o result ls --backup ticks --json >results.json
o events --backup ticks --json >events.json
ok "each second is on record once" python3 - <<'PY'
import json
fired = [r["scheduledDate"] for r in json.load(open("results.json"))]
for e in json.load(open("events.json")):
    if e["kind"] == "schedule.skipped":
        run = list(range(e["data"]["first"], e["data"]["last"] + 1, 1000))
        assert len(run) == e["data"]["count"], e
        fired += run
fired.sort()
assert fired == list(range(fired[0], fired[-1] + 1, 1000)), fired
PY
