#!/bin/sh
# Seeds every rule of tidy.sh with violations, in a repository of its own, and sees each rule name them; and sees
# that what is in order stays unnamed. Run from the root: sh tests/tidy_test.sh
set -u

tidy=$PWD/tests/tidy.sh
tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
passed=0
failed=0

# put FILE LINE...: the file with these lines, one each.
put() {
  mkdir -p "$(dirname "$1")"
  file=$1
  shift
  printf '%s\n' "$@" >"$file"
}

fresh() {
  rm -rf "$tree/t"
  mkdir "$tree/t"
  cd "$tree/t" || exit 1
  git init -q .
  echo 'build/' >.gitignore
  mkdir -p providers docs
  touch CMakeLists.txt README.md LICENSE
  put runtime/include/orrery.h '/* x */' 'int orr_open(void);'
  put runtime/base/a.c '/* x */' '#include "base/a.h"' '#include <stdio.h>' 'static const int table[] = {1};' \
    'static int helper(void) {' '  return table[0]; /* abort() and setenv() are only named here */' '}' \
    'int orr__a(void) {' '  return helper() + (puts("fork()") > 0);' '}'
  put runtime/base/a.h '/* x */' 'int orr__a(void);'
  put runtime/core/c.c '/* x */' '#include "store/store.h"' '#include "port/loop.h"' '#include "model/json.h"' \
    'void orr__c(struct x *x) {' '  x->abort(x);' '}'
  put runtime/host/lib/open.c '/* x */' '#include "store/tx.h"' 'int orr_open(void) {' '  return 0;' '}'
  put bindings/b.c '/* x */' '#include <lua.h>' '#include "args.h"' '#include "core/ops.def"'
  put bindings/prelude/p.lua '-- x' 'local function f()' '  return function() return 1 end' 'end'
  put tests/unit/test_base_a.c '/* x */' 'static void test_a__holds(void **state) {' '}' 'int main(void) {' \
    '  cmocka_unit_test(test_a__holds),' '}'
  put build/bad.c 'no comment, and ignored'
}

# expect RULE TEXT: tidy must fail that rule, and no other, with a line that has the text.
expect() {
  out=$(sh "$tidy" 2>&1)
  if [ "$(printf '%s\n' "$out" | grep '^not ok')" = "not ok $1" ] && printf '%s\n' "$out" | grep -qF -- "$2"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "not ok: $1 does not name '$2':"
    printf '%s\n' "$out"
  fi
  fresh
}

lines() { awk -v n="$1" -v text="$2" 'BEGIN { for (i = 0; i < n; i++) print text }'; }

fresh
if out=$(sh "$tidy"); then
  passed=$((passed + 1))
else
  failed=$((failed + 1))
  echo "not ok: a tree in order"
  printf '%s\n' "$out"
fi

touch stray.txt; expect top_level 'stray.txt: does not belong'
rm README.md; expect top_level 'README.md: is missing'
{ echo '/* x */'; lines 600 ''; } >runtime/base/long.c; expect file_length 'long.c:601'
{ echo '-- x'; lines 600 ''; } >providers/long.lua; expect file_length 'long.lua:601'
{ echo '/* x */'; echo 'static int f(int a,'; echo '             int b) {'; lines 67 '  a++;'; echo 'done:'; echo '}'; } \
  >runtime/base/f.c; expect c_function_length 'f.c:2: a function of 71 lines'
{ echo '-- x'; echo 'function provider.f(a)'; lines 30 '  if a then a() end'; echo '  g(function()'; lines 38 '    b()'
  echo '  end)'; echo 'end'; } >providers/f.lua; expect lua_function_length 'f.lua:2: a function of 72 lines'
put runtime/base/i.c '/* x */' '#include "model/object.h"'; expect includes 'base must not include model/object.h'
put runtime/model/i.h '/* x */' '#include "port/loop.h"'; expect includes 'model must not include port/loop.h'
put runtime/store/i.c '/* x */' '#include "port/loop.h"'; expect includes 'store must not include port/loop.h'
put runtime/core/i.c '/* x */' '#include "store/tx.h"'; expect includes 'core must not include store/tx.h'
put bindings/i.c '/* x */' '#include "store/store.h"'; expect includes 'bindings must not include store/store.h'
put bindings/kit/i.c '/* x */' '#include "args.h"'; expect includes 'kit must not include args.h'
put runtime/host/i.c '/* x */' '#include "core/core.h"'; expect includes 'host must not include core/core.h'
put runtime/host/i.c '/* x */' '#include "host/lib/lib.h"'; expect includes 'host must not include host/lib/lib.h'
put runtime/core/t.c '/* x */' '#include <lua.h>'; expect third_party_headers 'lua.h has another door'
put runtime/core/t.c '/* x */' '# include "uv.h"'
sh "$tidy" >/dev/null && failed=$((failed + 1)); fresh
put bindings/t.c '/* x */' '#include <curl/curl.h>'; expect third_party_headers 'curl/curl.h has another door'
put runtime/model/t.c '/* x */' '#include <sqlite3.h>'; expect third_party_headers 'sqlite3.h has another door'
put runtime/store/t.c '/* x */' '#include <cjson/cJSON.h>'; expect third_party_headers 'cjson/cJSON.h has another door'
put runtime/port/t.c '/* x */' '#include <pcre.h>'; expect third_party_headers 'pcre.h is neither'
put runtime/base/s.c '/* x */' 'int helper(int a) {' '}'; expect symbol_prefix 'helper is visible'
put runtime/base/s.c '/* x */' 'const struct x *table[] = {' '};'; expect symbol_prefix 'table is visible'
put runtime/base/s.h '/* x */' 'int *helper(int a, int (*f)(void));'; expect symbol_prefix 'helper is visible'
put runtime/base/s.c '/* x */' 'int orr_close(int a) {' '}'; expect symbol_prefix 'orr_close is not in orrery.h'
put runtime/core/g.c '/* x */' 'static int counter;'; expect no_globals 'g.c:2'
put runtime/core/g.c '/* x */' 'static void f(void) {' '  setenv("TZ", "UTC", 1);' '}'; expect guest_manners 'g.c:3'
put runtime/port/g.c '/* x */' 'static void f(void) {' '  uv_spawn(a, b, c);' '}'; expect guest_manners 'g.c:3'
put runtime/port/g.c '/* x */' 'static void f(void) {' '  uv_fs_open(a);' '}'; expect guest_manners 'g.c:3'
put runtime/base/d.c '/* x */' '/* TO''DO: more */' '/* TO''DO (#12): less */'; expect todo_has_issue 'd.c:2'
put docs/m.md 'see /wor''k/main'; expect machine_paths 'm.md:1'
put tests/m.sh 'ls /tmp/buil''d-x'; expect machine_paths 'm.sh:1'
put runtime/base/o.c 'int orr__x;'; expect opening_comment 'o.c:1'
put providers/o.lua '#!/usr/bin/env lua' 'return 1'; expect opening_comment 'o.lua:2'
put tests/unit/test_a.c '/* x */'; expect unit_test_names 'test_a.c'
put tests/unit/test_base_n.c '/* x */' '  cmocka_unit_test(test_holds),'; expect unit_test_names 'test_holds is not'
put tests/unit/test_base_n.c '/* x */' '  usleep(10);'; expect unit_tests_never_sleep 'test_base_n.c:2'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
