#!/bin/sh
# Checks the rules of the house that a machine can check. Run from the root of the repository: sh tests/tidy.sh
#
# A rule is a function that prints one line for each violation, `file:line: what`. Only files that git tracks, or
# would track, are looked at. tidy_test.sh seeds every rule with a violation. Knows nothing of what the code does.
set -u

git="git -c safe.directory=*"
if ! $git rev-parse --git-dir >/dev/null 2>&1; then
  echo "tidy: no git checkout here, nothing to look at"
  echo "0 passed, 0 failed"
  exit 0
fi
lists=$(mktemp -d) || exit 1
trap 'rm -rf "$lists"' EXIT
$git ls-files -co --exclude-standard | sort -u | while IFS= read -r file; do
  if [ -f "$file" ]; then printf '%s\n' "$file"; fi
done >"$lists/all"

# select NAME PATTERN: the files whose path matches, in lists/NAME.
select_files() { grep -E "$2" "$lists/all" >"$lists/$1"; }
select_files c '^(runtime|bindings|tests|providers|docs)/.*\.[ch]$'
select_files c_source '^(runtime|bindings)/.*\.c$'
select_files layers '^(runtime|bindings)/.*\.[ch]$'
select_files lua '\.lua$'
select_files lengths '\.(c|lua)$'
select_files commented '\.(c|h|lua)$'
select_files code '(\.(c|h|def|lua|sh|cmake)|CMakeLists\.txt)$'
select_files unit '^tests/unit/.*\.c$'
# What runs inside somebody's process: not the programs.
grep -vE '_main\.c$|^runtime/host/' "$lists/c_source" >"$lists/library"
grep -E '^runtime/host/lib/.*\.c$' "$lists/all" >>"$lists/library"

# over LIST PROGRAM: awk over the files of a list. xargs runs nothing where the list is empty.
over() { xargs -r awk "$2" <"$lists/$1"; }

# Comments and the insides of strings become blanks; bare(line) keeps its state in `inside`.
strip='
function bare(line,   out, i, two, c, quote) {
  if (FNR == 1) inside = 0
  out = ""
  for (i = 1; i <= length(line); i++) {
    two = substr(line, i, 2); c = substr(line, i, 1)
    if (inside) { if (two == "*/") { inside = 0; i++ } }
    else if (quote != "") { if (c == "\\") i++; else if (c == quote) { quote = ""; out = out c } }
    else if (two == "/*") { inside = 1; i++ }
    else if (two == "//") break
    else { if (c == "\"" || c == "\047") quote = c; out = out c }
  }
  return out
}'

top_level() {
  sed 's|/.*||' "$lists/all" | sort -u | grep -vxE \
    'CMakeLists\.txt|runtime|bindings|providers|tests|docs|README\.md|LICENSE|\..*' |
    sed 's|$|: does not belong to the top level|'
  for name in CMakeLists.txt runtime bindings providers tests docs README.md; do
    [ -e "$name" ] || echo "$name: is missing from the top level"
  done
}

file_length() {
  over lengths 'FNR == 601 { print FILENAME ":601: more than 600 lines" }'
}

# By the house layout: a definition begins in column 0 and ends with a } in column 0.
c_function_length() {
  over c '
    FNR == 1 { start = 0 }
    /^[A-Za-z_]/ && !/^[A-Za-z_0-9]+:/ { start = FNR }
    /^}$/ && start { if (FNR - start + 1 > 70) print FILENAME ":" start ": a function of " FNR - start + 1 " lines"; start = 0 }'
}

# A function ends with the first `end` that is indented as its first line is. The blocks of a spec are chapters, not functions.
lua_function_length() {
  over lua '
    FNR == 1 { depth = 0 }
    FILENAME ~ /_spec\.lua$/ { nextfile }
    { match($0, /^ */); indent = RLENGTH; word = substr($0, indent + 1) }
    word ~ /^end([^A-Za-z_0-9]|$)/ {
      while (depth && indents[depth] > indent) depth--
      if (depth && indents[depth] == indent) {
        if (FNR - starts[depth] + 1 > 70)
          print FILENAME ":" starts[depth] ": a function of " FNR - starts[depth] + 1 " lines"
        depth--
      }
    }
    /(^|[^A-Za-z_0-9"])function[ (]/ && !/[^A-Za-z_0-9]end[^A-Za-z_0-9]*$/ && word !~ /^--/ { starts[++depth] = FNR; indents[depth] = indent }'
}

includes() {
  over layers '
    FNR == 1 {
      split(FILENAME, part, "/")
      layer = part[1] != "bindings" ? part[2] : part[2] == "kit" ? "kit" : "bindings"
    }
    !/^[ \t]*#[ \t]*include[ \t]*"/ { next }
    {
      split($0, quoted, "\""); path = quoted[2]; from = path; sub(/\/.*/, "", from)
      common = from == "base" || from == layer
      if (FILENAME ~ /^runtime\/host\/lib\//) ok = 1
      else if (layer == "base") ok = from == "base"
      else if (layer == "model" || layer == "port") ok = common
      else if (layer == "store") ok = common || from == "model"
      else if (layer == "core") ok = common || from == "model" || path == "store/store.h" || path ~ /^port\/[a-z_]+\.h$/
      else if (layer == "bindings")
        ok = common || from == "model" || path == "core/provider.h" || path == "core/ops.def" ||
             path ~ /^port\/[a-z_]+\.h$/ || path !~ /\//
      else if (layer == "kit") ok = path == "orrery.h" || path ~ /^kit[a-z_]*\.h$/
      else if (layer == "host") ok = (common && path !~ /^host\/lib\//) || path == "orrery.h" || path == "kit.h"
      else ok = 0
      if (!ok) print FILENAME ":" FNR ": " layer " must not include " path
    }'
}

third_party_headers() {
  over layers '
    BEGIN {
      door["uv.h"] = door["sodium.h"] = "^runtime/port/"
      door["sqlite3.h"] = "^runtime/store/"
      door["lua.h"] = door["lauxlib.h"] = door["lualib.h"] = door["luajit.h"] = door["lua.hpp"] = "^bindings/"
      door["cJSON.h"] = door["cjson/cJSON.h"] = "^(runtime/model|bindings|runtime/host)/"
      n = split("alloca assert ctype dirent dlfcn endian errno fcntl float fnmatch getopt glob grp inttypes libgen " \
                "limits malloc math netdb poll pthread pwd sched semaphore setjmp signal spawn stdalign stdarg stdatomic " \
                "stdbool stddef stdint stdio stdlib string strings syslog termios time unistd wchar", names, " ")
      for (i = 1; i <= n; i++) libc[names[i] ".h"] = 1
    }
    !/^[ \t]*#[ \t]*include/ { next }
    {
      path = $0; sub(/^[^<"]*[<"]/, "", path); sub(/[>"].*/, "", path)
      allowed = path in door ? door[path] : path ~ /^(curl|openssl)\// ? "^runtime/port/" : ""
      if (allowed != "") { if (FILENAME !~ allowed) print FILENAME ":" FNR ": " path " has another door" }
      else if (/</ && !(path in libc) && path !~ /^(sys|linux|netinet|arpa|net)\// && path != "orrery.h")
        print FILENAME ":" FNR ": " path " is neither libc nor a library with a door"
    }'
}

# Definitions in column 0 that are not static, and the functions that headers declare.
symbol_prefix() {
  public=runtime/include/orrery.h
  [ -f "$public" ] || public=/dev/null
  over layers '
    function check(name) {
      if (name !~ /^(orr_|ORR_|main$)/) print FILENAME ":" FNR ": " name " is visible without the prefix orr_"
      else if (name ~ /^orr_[^_]/ && FILENAME !~ /orrery\.h$/) print FILENAME ":" FNR ": =" name
    }
    !/^[A-Za-z_]/ || /^(static|typedef|struct|enum|union|else|static_assert|_Static_assert|extern "C")([ (]|$)/ || /^[A-Za-z_0-9]+:/ { next }
    /^__attribute__.* static / || /^__attribute__\(\(.*\)\)$/ { next }
    /^[A-Z_0-9]+\(/ { next }
    /^[^=]*[A-Za-z_0-9]\(/ {
      name = $0
      sub(/^__attribute__\(\([^)]*\)+ */, "", name)
      sub(/\(.*/, "", name); sub(/.*[ *]/, "", name); check(name); next
    }
    /[=;]/ { name = $0; sub(/[[=;].*/, "", name); sub(/ *$/, "", name); sub(/.*[ *]/, "", name); check(name) }' |
    while IFS= read -r line; do
      case $line in
        *": ="*)
          name=${line##*: =}
          grep -qE "(^|[^A-Za-z_0-9])$name([^A-Za-z_0-9]|$)" "$public" || echo "${line%%: =*}: $name is not in orrery.h: orr__"
          ;;
        *) printf '%s\n' "$line" ;;
      esac
    done
}

no_globals() {
  over library "$strip"'
    { line = bare($0) }
    line ~ /^(static|_Thread_local) / && line !~ /\(/ && line ~ /[=;]/ && line !~ /const |pthread_once_t / {
      print FILENAME ":" FNR ": a variable that all runtimes of a process would share"
    }'
}

# The library is a guest in the process.
guest_manners() {
  over library "$strip"'
    { line = " " bare($0) }
    line ~ /[^A-Za-z_0-9.>](setenv|putenv|unsetenv|setlocale|signal|sigaction|system|popen|fork|abort|exit|_exit)\(/ ||
    line ~ /[^A-Za-z_0-9]uv_(spawn|signal_[a-z_]+|queue_work|getaddrinfo|getnameinfo|random)\(/ ||
    (line ~ /[^A-Za-z_0-9]uv_fs_[a-z]+\(/ && line !~ /uv_fs_event_/) {
      print FILENAME ":" FNR ": a call that a library must not make"
    }'
}

todo_has_issue() {
  word='TO''DO|FIX''ME'
  xargs -r grep -nE "(^|[^A-Za-z_])($word)([^A-Za-z_]|\$)" /dev/null <"$lists/code" | grep -vE '#[0-9]+|issue [0-9]+'
}

machine_paths() {
  xargs -r grep -nIE '(^|[^A-Za-z0-9._}-])/(wor[k]|roo[t]|tmp/buil[d])(/|[^A-Za-z0-9._]|$)' /dev/null <"$lists/all" |
    cut -c1-160
}

opening_comment() {
  over commented '
    FNR == 1 && !/^(\/\*|\/\/|--|#!)/ { print FILENAME ":1: does not open with a comment" }
    FNR == 2 && previous == FILENAME && !/^--/ { print FILENAME ":2: does not open with a comment" }
    FNR == 1 { previous = /^#!/ ? FILENAME : "" }'
}

unit_test_names() {
  over unit '
    FNR == 1 && FILENAME ~ /\/test_/ && FILENAME !~ /\/test_(base|model|port|store|core|bindings|host)_[a-z0-9_]+\.c$/ {
      print FILENAME ": is not named test_<layer>_<module>.c"
    }
    /^ *cmocka_unit_test/ {
      name = $0; sub(/^[^(]*\(/, "", name); sub(/[,)].*/, "", name)
      if (name !~ /^test_[a-z0-9]+(_[a-z0-9]+)*__[a-z0-9_]+$/) print FILENAME ":" FNR ": " name " is not test_<module>__<what_holds>"
    }'
}

unit_tests_never_sleep() {
  over unit "$strip"'
    { line = " " bare($0) }
    line ~ /[^A-Za-z_0-9](sleep|usleep|nanosleep|clock_nanosleep)\(/ { print FILENAME ":" FNR ": sleeps" }'
}

passed=0
failed=0
for rule in top_level file_length c_function_length lua_function_length includes third_party_headers symbol_prefix \
  no_globals guest_manners todo_has_issue machine_paths opening_comment unit_test_names unit_tests_never_sleep; do
  $rule >"$lists/found" 2>&1
  if [ -s "$lists/found" ]; then
    failed=$((failed + 1))
    echo "not ok $rule"
    sed 's/^/  /' "$lists/found"
  else
    passed=$((passed + 1))
    echo "ok $rule"
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
