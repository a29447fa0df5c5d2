/* Programs that the host runs elsewhere: process.run becomes a call, its answer the reply that the job runner's would be.
 *
 * Where the programs are is the host's to tell (orr_host_tell: { "programs": { name: path or null } }); those that it does not name count as
 * found, under /usr/bin. Jobs are in service_job.c. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "host/lib/lib.h"

typedef struct carried {
  orr__process_done done;
  void *arg;
} carried;

static orr__json *list_of(const char *const *words) {
  orr__json *list = orr__json_list();
  for (; list && words && *words; words++) {
    if (orr__json_append(list, orr__json_new_str(*words)) == 0) continue;
    orr__json_free(list);
    return NULL;
  }
  return list;
}

static orr__json *map_of(const char *const *env) {
  orr__json *map = orr__json_map();
  for (; map && env && *env; env++) {
    const char *equals = strchr(*env, '=');
    char *name = equals ? orr__strndup(*env, (size_t)(equals - *env)) : NULL;
    if (name && orr__json_put_str(map, name, equals + 1) == 0) {
      free(name);
      continue;
    }
    free(name);
    orr__json_free(map);
    return NULL;
  }
  return map;
}

orr__json *orr__spawn_json(const char *op, const char *const *argv, const char *const *env, const char *cwd, const void *input, size_t input_len,
                           int64_t timeout_ms, int64_t grace_ms) {
  orr__json *map = orr__json_map();
  int code = map ? orr__json_put_str(map, "op", op) : ORR_E_NOMEM;
  if (!code) code = orr__json_put(map, "argv", list_of(argv));
  if (!code) code = orr__json_put(map, "env", map_of(env));
  if (!code && cwd) code = orr__json_put_str(map, "cwd", cwd);
  if (!code && input) code = orr__put_bytes(map, "stdin", "stdinBase64", input, input_len);
  if (!code && timeout_ms > 0) code = orr__json_put_int(map, "timeoutMillis", timeout_ms);
  if (!code && grace_ms > 0) code = orr__json_put_int(map, "graceMillis", grace_ms);
  if (!code) return map;
  orr__json_free(map);
  return NULL;
}

char *orr__json_spent(orr__json *map) {
  char *text = map ? orr__json_print(map) : NULL;
  orr__json_free(map);
  return text;
}

/* ---- the answer --------------------------------------------------------------------------------------------- */

int orr__check_ended(const orr__json *answer, orr_error *reterr) {
  int64_t code;
  if (!orr__json_is_map(answer) || !orr__json_exact_int(orr__json_get(answer, "code"), &code) || code < -1 || code > 255)
    return orr__error_set(reterr, ORR_E_INVALID, "an answer to a run needs a 'code' from 0 to 255, or -1 and a 'signal'");
  return 0;
}

static void on_reply(void *arg, const orr__hostcall_reply *reply) {
  carried *c = arg;
  orr__json *answer = orr__json_parse(reply->text, strlen(reply->text), NULL);
  char *out = NULL, *err = NULL;
  orr__process_reply process = { .code = reply->code, .message = reply->message, .exit_code = (int)orr__json_int(answer, "code", -1),
                                 .signal = (int)orr__json_int(answer, "signal", 0), .is_truncated = orr__json_bool(answer, "truncated", false) };
  if (!process.code && orr__check_ended(answer, NULL)) {
    process.code = ORR_E_INVALID;
    process.message = "what the host answered to a run has no exit code";
  }
  int code = orr__take_bytes(answer, "stdout", "stdoutBase64", &out, &process.out_len);
  if (!code) code = orr__take_bytes(answer, "stderr", "stderrBase64", &err, &process.err_len);
  if (code && !process.code) {
    process.code = code;
    process.message = "the output that the host answered cannot be read";
  }
  if (code) process.out_len = process.err_len = 0;
  process.out = out && !code ? out : "";
  process.err = err && !code ? err : "";
  c->done(c->arg, &process);
  free(out);
  free(err);
  orr__json_free(answer);
  free(c);
}

static int start(void *self, const orr__process_spec *spec, orr__process_done done, void *arg, uint64_t *ret_id, orr_error *reterr) {
  orr_runtime *rt = self;
  uint64_t id;
  carried *c = calloc(1, sizeof *c);
  char *text = c ? orr__json_spent(orr__spawn_json("run", spec->argv, spec->env, spec->cwd, spec->input, spec->input_len, spec->timeout_ms, spec->grace_ms)) : NULL;
  int code = text ? 0 : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  if (!code) {
    c->done = done;
    c->arg = arg;
    code = orr__hostcall_start(rt->calls, "process", text, spec->timeout_ms, on_reply, c, &id, reterr);
  }
  if (text) explicit_bzero(text, strlen(text));
  free(text);
  if (code) free(c);
  else if (ret_id) *ret_id = id;
  return code;
}

static void abort_process(void *self, uint64_t id) { orr__hostcall_abort(((orr_runtime *)self)->calls, id); }

static char *find(void *self, const char *name) {
  const orr_runtime *rt = self;
  const orr__json *told = orr__json_get(rt->programs, name);
  if (told) return orr__strdup(orr__json_text(told)); /* null: it is not there */
  return *name == '/' ? orr__strdup(name) : *name ? orr__strf("/usr/bin/%s", name) : NULL;
}

int orr__told_programs(orr_runtime *rt, const orr__json *programs, orr_error *reterr) {
  for (const orr__json *m = orr__json_first(programs); m; m = orr__json_next(m)) {
    if (!orr__json_is_null(m) && !orr__json_text(m))
      return orr__error_set(reterr, ORR_E_INVALID, "programs: '%s' is neither a path nor null", orr__json_key(m));
  }
  if (!rt->programs) rt->programs = orr__json_map();
  int code = rt->programs ? orr__json_merge(rt->programs, programs) : ORR_E_NOMEM;
  return code ? orr__error_set(reterr, code, "out of memory") : 0;
}

void orr__carry_process(orr_runtime *rt) {
  orr__processes_carry(rt->processes, &(orr__process_carrier){ rt, start, abort_process, find });
}
