/* Orrery: clockwork for backups, as a library.
 *
 * A runtime (orr_runtime) opens one data directory, owns its schedules, its store and its refresh loop, and runs the
 * hooks of provider scripts. The command line and the daemon are ordinary users of this header.
 *
 * How it works
 *   - Everything that runs hooks or touches the store is asynchronous: orr_submit returns a request id at once, and
 *     the request completes exactly once, as an event that you pull with orr_next. Nothing calls you back.
 *   - The requests, their arguments and replies are listed by orr_request_at, the same list the command
 *     line is made from: "backup.run" takes {"backup":"nightly"} and replies with a result as a JSON object.
 *   - You turn the wheels, in one of three ways: orr_wait in a loop, a thread of its own (orr_start), or your own loop, which
 *     watches one descriptor (orr_fd) and calls orr_step(runtime, 0).
 *
 * Threads: every function may be called by any thread. One is inside a runtime at a time, the others wait; a thread that waits in orr_step
 * lets them in at once. Errors, events and settings belong to one thread at a time. Two runtimes know nothing of each other.
 * It never touches signals, SIGCHLD handling, locale, environment, working directory, standard streams or TZ.
 *
 * Strings are UTF-8 and end in NUL. What a function returns as `const char *` is borrowed: from an event or error, valid
 * until that is freed. Functions return 0, or a negative number that orr_error_word names; the details are in the last
 * parameter, an orr_error of yours from orr_error_new (or NULL if you do not care), which is touched only on failure.
 *
 * Dates are milliseconds since 1970 UTC, durations in settings are seconds. */
#ifndef ORRERY_H
#define ORRERY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ORR_API __attribute__((visibility("default")))
#else
#define ORR_API
#endif

typedef struct orr_runtime orr_runtime;
typedef struct orr_settings orr_settings;
typedef struct orr_event orr_event;
typedef struct orr_error orr_error;

/* "0.1.0" */
ORR_API const char *orr_version(void);
/* The version of this interface: it grows with every addition, and nothing is taken away within a version of the library's name
 * (docs/compatibility.md). orr_abi(ORR_ABI, err) at the start of a program says whether the library it runs with is new enough for the
 * header it was built with: 0, or NEWER. */
#define ORR_ABI 3
ORR_API int orr_abi(int wanted, orr_error *reterr);

/* ---- errors ------------------------------------------------------------------------------------------------- */

/* Owned; NULL when out of memory. One object can be used for many calls: each failure replaces what it held. */
ORR_API orr_error *orr_error_new(void);
ORR_API void orr_error_free(orr_error *error); /* NULL is fine */
ORR_API int orr_error_code(const orr_error *error);            /* 0 while unset */
ORR_API const char *orr_error_word(const orr_error *error);    /* "not_found", "halted", ...; docs/errors.md lists them */
ORR_API const char *orr_error_message(const orr_error *error); /* one line; never NULL */
ORR_API int orr_error_exit(const orr_error *error);            /* the exit code a command should end with */
ORR_API int orr_error_retryable(const orr_error *error);       /* may the same call succeed later? */
/* The per-field map: i from 0 until NULL. */
ORR_API const char *orr_error_field(const orr_error *error, size_t i);
ORR_API const char *orr_error_field_message(const orr_error *error, size_t i);

/* ---- opening and closing ------------------------------------------------------------------------------------ */

ORR_API orr_settings *orr_settings_new(void); /* owned; NULL when out of memory */
ORR_API void orr_settings_free(orr_settings *settings);
/* Sets one; INVALID for an unknown key (the message has the nearest) or a value that does not fit. Keys that may be
 * given several times (providers) add up. */
ORR_API int orr_settings_set(orr_settings *settings, const char *key, const char *value, orr_error *reterr);
/* The settings there are: i from 0 until NULL. */
ORR_API const char *orr_settings_key(size_t i);
ORR_API const char *orr_settings_type(size_t i);    /* text, path, number, flag or a list of words with | */
ORR_API const char *orr_settings_default(size_t i);
ORR_API const char *orr_settings_doc(size_t i);

/* Memory for the Lua states of providers, which is what can grow with what their authors write: as realloc, and for new_size 0 as free; may
 * answer NULL. Called on the thread that turns the wheels, of any runtime that was opened with these settings, until its orr_close. NULL: the
 * process's own realloc, as for everything else (docs/decisions/). */
typedef void *(*orr_allocate)(void *arg, void *block, size_t old_size, size_t new_size);
ORR_API void orr_settings_allocator(orr_settings *settings, orr_allocate allocate, void *arg);

/* The time of people from the host, in milliseconds since 1970 UTC: all dates, schedules, os.time in Lua, orr_now. For a host whose trusted time
 * comes from elsewhere, or that replays. It need not move evenly: a step of it means what a step of the system's clock does (docs/schedules.md),
 * and is noticed within a minute. How long something takes (deadlines, intervals, waits, the grace of orr_close) goes by the system's
 * monotonic clock all the same; what the job runner, a process of its own, notes down of a job has the system's date. Called often, by
 * whichever thread is inside the runtime, one at a time, from orr_open until the end of orr_close: it must not wait, nor call the runtime.
 * NULL: the system's. With clock=virtual orr_open answers INVALID. */
typedef int64_t (*orr_clock)(void *arg);
ORR_API void orr_settings_clock(orr_settings *settings, orr_clock clock, void *arg);

/* Opens the data directory (made if missing), takes its lock, opens the store and takes up what was in flight. LOCKED if
 * another process holds it; IO, CORRUPT, NEWER for a store that cannot be used: nothing is changed then. The settings
 * are copied. *ret_runtime is owned. */
ORR_API int orr_open(const orr_settings *settings, orr_runtime **ret_runtime, orr_error *reterr);
/* Begins an orderly end: no new hooks; orr_step on until orr_is_idle, or as long as you care to wait. From here
 * on requests other than READ ones are refused (CLOSED), and STREAM ones end with CLOSED. */
ORR_API void orr_drain(orr_runtime *runtime);
/* No hook in flight, nothing waiting for the store; and, draining, every shared session closed or given up. */
ORR_API int orr_is_idle(const orr_runtime *runtime);
/* Is a hook in flight that acts outside (it has a row in the journal)? A close now would leave it to the rules for crashes: a look-up, or a
 * person who has to say what happened. It ends by itself, at its deadline at the latest. */
ORR_API int orr_is_acting(const orr_runtime *runtime);
/* Non-zero once a commit or a sync did not work (a full disk, a failing one): what is stored is not known any more, every request
 * fails with that code, and the thing to do is to close it, mend the cause and open it again. */
ORR_API int orr_failed(const orr_runtime *runtime);
/* Ends it. With the setting close_grace_ms it first drains, and turns the wheels until idle or until so much real time has passed, also
 * where another thread turned them until then (orr_run and orr_start end first); virtual time stands still, and a store that has failed is
 * not waited for. Other threads may still answer calls and pull events meanwhile. Then, and by default at once, hooks still in flight
 * are abandoned where they are (recovery takes them up at the next opening), the store is synced and closed, the lock released. Events
 * not pulled are gone, and sessions still open are not closed. NULL is fine. */
ORR_API void orr_close(orr_runtime *runtime);
/* A reference: as long as somebody has one, calls after orr_close answer CLOSED (NULL, 0, -1) instead of using memory that is gone. For
 * threads that may still answer a call, and for languages that collect garbage. orr_close gives the owner's back, orr_unref the others. */
ORR_API orr_runtime *orr_ref(orr_runtime *runtime);
ORR_API void orr_unref(orr_runtime *runtime);

/* ---- requests ----------------------------------------------------------------------------------------------- */

/* The requests there are: i from 0 until NULL. */
ORR_API const char *orr_request_at(size_t i);
ORR_API const char *orr_request_args(const char *name);  /* "backup:ref! config:map ..."; NULL: no such request */
ORR_API const char *orr_request_reply(const char *name);
ORR_API const char *orr_request_doc(const char *name);
ORR_API const char *orr_request_kind(const char *name);  /* READ, WRITE or STREAM */

/* Asks for something. args is a JSON object (NULL: {}), borrowed. Refused at once: an unknown request (the nearest is
 * named), arguments that are not as listed, a runtime that is closing. Otherwise *ret_request (never 0, never used again) is
 * the id of the one reply to come. */
ORR_API int orr_submit(orr_runtime *runtime, const char *request, const char *args, uint64_t *ret_request, orr_error *reterr);
/* Ends a STREAM request: its reply comes soon. Others go on to their end. An unknown id is fine. */
ORR_API void orr_request_stop(orr_runtime *runtime, uint64_t request);

/* ---- events ------------------------------------------------------------------------------------------------- */

enum orr_event_kind {
  ORR_EVENT_REPLY = 1,  /* a request has completed: code, and json or error */
  ORR_EVENT_UPDATE = 2, /* something on the way of a STREAM request: json */
  ORR_EVENT_LOG = 3,    /* a line of the runtime's or a provider's: json { level, message, provider } */
  ORR_EVENT_CALL = 4,   /* the runtime asks the host for something: see the services below */
  ORR_EVENT_CALL_END = 5
};

/* The next event, or NULL if there is none now. Owned: orr_event_free. Replies and updates wait for as long as you do not pull
 * them; log lines beyond 100,000 waiting events are dropped. */
ORR_API orr_event *orr_next(orr_runtime *runtime);
ORR_API void orr_event_free(orr_event *event);
ORR_API int orr_event_kind(const orr_event *event);
ORR_API uint64_t orr_event_request(const orr_event *event); /* 0 for a log line */
ORR_API uint64_t orr_event_call(const orr_event *event);    /* of a CALL or CALL_END, else 0 */
ORR_API const char *orr_event_service(const orr_event *event); /* likewise, else NULL */
ORR_API int orr_event_code(const orr_event *event);         /* of a reply: 0 or negative */
ORR_API const char *orr_event_json(const orr_event *event); /* never NULL; "null" for a reply that failed */
/* What json has at a path: "status", "backup.name", "0.uuid" (the first of a list), "" (all of it). A text, borrowed; NULL if there is none
 * there. A number (or a text of digits, as integers beyond 2^53 are, or true: 1, false: 0), else the fallback. How many a list or object has. */
ORR_API const char *orr_event_text(const orr_event *event, const char *path);
ORR_API int64_t orr_event_int(const orr_event *event, const char *path, int64_t fallback);
ORR_API double orr_event_num(const orr_event *event, const char *path, double fallback);
ORR_API size_t orr_event_count(const orr_event *event, const char *path);
ORR_API const orr_error *orr_event_error(const orr_event *event); /* of a reply that failed, else NULL */

/* ---- services of the host ----------------------------------------------------------------------------------- */

/* What the runtime would do itself, or cannot do, a host may do for it: it offers a service, and from then on is asked by events.
 *
 *   orr_host_offer(runtime, "http", ...)                  once, between orr_open and the first step
 *   ORR_EVENT_CALL      service "http", a call's id, json: what is wanted           pulled by orr_next like every event
 *   orr_host_answer(runtime, call, json, NULL, NULL, ...) exactly once per call, now or later, from any thread
 *   ORR_EVENT_CALL_END  the call's id: nobody waits for it any more (its hook was cancelled, its time is up, the runtime closes).
 *                       Stop working on it; an answer is refused from here on. A call that was answered has no end
 *
 * A call does not hold up anything but the hook that waits for it, and for no longer than the hook's own deadline or the time limit that
 * json names. After orr_drain calls go on coming, for hooks that run to their end. orr_close ends all.
 *
 * On a virtual clock an unanswered call is in flight: time stands still until it is answered or put on hold.
 *
 * The services, json of the call -> json of the answer. Bytes are in `body`, `stdin`, `stdout`, `stderr` where they are UTF-8 text,
 * else in base64 under `bodyBase64` and so on. Credentials are in clear.
 *
 *   http       { method, url, headers: { name: value or list }, body, timeoutMillis, safe, username, password, caCert, tlsFingerprint, proxy }
 *              -> { status, headers, body }. Without an answer of the server: an error, and { "sent": false } if it certainly never left.
 *              What the provider may reach, and that it was written down before, is seen to already; redirects and trying again are yours
 *   process    { op: "run", argv, env, cwd, stdin, timeoutMillis } -> { code, signal, stdout, stderr, truncated }; error "no_program"
 *              { op: "jobStart", key, name, argv, env, cwd, stdin, timeoutMillis, graceMillis, split }: starts the job, or finds the one of that key and
 *              name that was ever started -> { state, code, signal, startDate, ... } (null: it runs). { op: "jobCancel", key, name },
 *              { op: "jobRemove", key }: the answer does not matter. What becomes of a job, tell by orr_host_tell, and at once after
 *              opening of those that you still know:
 *              { "job": { key, name, state: "running" | "ended" | "lost", code, signal, cancelled, timedOut, startDate, endDate, message,
 *                log: "text to append", out: "text to append" } }
 *              and, if you like, where programs are: { "programs": { "restic": "/usr/bin/restic", "tar": null } } (null: nowhere)
 *   secrets    { name } -> { value }: for every secret whose stored value is "host:NAME", before each hook that gets it
 *   inventory  { computeServer: { ... } } or { cloud: { ... } } -> the fields that are different now, for the hook that is about to run
 *   command    { computeServer, argv, stdin, timeoutMillis } -> { code, signal, stdout, stderr }: computeServer:run{ ... } in Lua
 *   function:NAME   what Lua gave to host.NAME(...) -> what that returns. A provider must declare needs.host = { "NAME" }
 *   query:NAME      the same, for what changes nothing outside: the journal does not say `sent` before it
 *
 * The services there are: i from 0 until NULL. */
ORR_API const char *orr_service_at(size_t i);
ORR_API const char *orr_service_doc(size_t i);
/* INVALID: there is no such service (the nearest is named). Offering one again is fine. */
ORR_API int orr_host_offer(orr_runtime *runtime, const char *service, orr_error *reterr);
/* Answers a call: with json (NULL: null), or with error, one of the words of docs/errors.md ("unreachable", "timeout", "refused" ...), and a
 * message of one line; json may then have details. Borrowed. Refused, and the call stays open: INVALID (no JSON, not of the service's
 * shape, no such word). NOT_FOUND: it was answered already, or has ended: nothing happens. */
ORR_API int orr_host_answer(orr_runtime *runtime, uint64_t call, const char *json, const char *error, const char *message, orr_error *reterr);
/* The same, but whoever waits gets it only when delay_ms have passed on the runtime's clock, which may be virtual. */
ORR_API int orr_host_answer_after(orr_runtime *runtime, uint64_t call, int64_t delay_ms, const char *json, const char *error,
                                  const char *message, orr_error *reterr);
/* The call takes as long as it takes, and does not hold up virtual time. NOT_FOUND likewise. */
ORR_API int orr_host_hold(orr_runtime *runtime, uint64_t call, orr_error *reterr);
/* Tells of something that was not asked for; see process. INVALID, or REFUSED where the service is not offered. */
ORR_API int orr_host_tell(orr_runtime *runtime, const char *service, const char *json, orr_error *reterr);

/* ---- hooks in C --------------------------------------------------------------------------------------------- */

/* A provider that is not a script: a struct of functions, called through the same table as the hooks in Lua, in the same order, with the
 * same journal, deadlines and recovery around them. docs/providers.md says what each hook is for and what it may answer.
 *
 * A hook function gets a handle, orr_hook, which is its own until it calls orr_hook_done, there or later, from any thread: exactly once,
 * whatever became of the call meanwhile. It runs on the thread that turns the wheels and must not wait; what takes time goes on elsewhere.
 *
 *   orr_hook_json       what it was given, as JSON
 *   orr_hook_set        writes a field; what was written is kept as what a hook in Lua writes is: of a result always, of a Backup on success
 *   orr_hook_sent       before the first act that changes something outside: returns once that is written down durably. Nothing may leave before
 *   orr_hook_save       a durable checkpoint: what was written to the result survives a kill in the next instruction
 *   orr_hook_done       the answer
 *
 * After its deadline, or a cancel, the hook is interrupted: `interrupted` is called if there is one, and orr_hook_stopped is not 0; it has a
 * grace of 3 seconds to clean up and call orr_hook_done, then the call ends without it. */
typedef struct orr_hook orr_hook;
typedef void (*orr_hook_function)(void *self, orr_hook *hook);

/* Fill it with zeros first. Functions that are NULL are hooks that the provider does not have; executeBackup is required. */
typedef struct orr_provider {
  size_t size;                   /* sizeof(orr_provider), so that it may grow */
  const char *declaration;       /* JSON of what Provider { ... } takes in Lua: { "apiVersion": 1, "code": "acme", "name": ..., "version": ... } */
  void *self;
  void (*interrupted)(void *self, orr_hook *hook); /* NULL: it looks at orr_hook_stopped itself */
  void (*released)(void *self);  /* no hook is called any more: replaced, or the runtime closes. NULL: nothing to do */
  orr_hook_function configureBackup, validateBackup, createBackup, deleteBackup, deleteBackupResult, prepareExecuteBackup, prepareBackupResult,
      executeBackup, refreshBackupResult, cancelBackup, extractBackup, recoverBackupResult, recoverBackup, refreshBackupResults,
      updateBackup, testConnection, cleanUp, optionSource, listBackupResults;
} orr_provider;

/* Copied. Between orr_open and the first step, so that what was in flight finds it; a second one of the same code replaces the first for
 * the calls that begin then. EXISTS: a script has that code. PROVIDER: what is wrong with the declaration, a line per finding. */
ORR_API int orr_provider_register(orr_runtime *runtime, const orr_provider *provider, orr_error *reterr);

ORR_API const char *orr_hook_name(const orr_hook *hook);     /* "executeBackup" */
/* { backup, backupResult, connection, cloud, computeServer, ... and the hook's own arguments: config, executionConfig, opts, name,
 * backupResults, previous }, without secrets, as it was when the hook was called. Borrowed until orr_hook_done. */
ORR_API const char *orr_hook_json(const orr_hook *hook);
/* A secret: "connection.password", "connection.NAME" or "backup.NAME" for an option of inputType password. NULL: there is none. Borrowed likewise. */
ORR_API const char *orr_hook_secret(orr_hook *hook, const char *path);
/* Writes a JSON value (null unsets) to a field: "backupResult.status", "backup.externalId", "backupResults.3.progress" (counted from 0), or
 * to free configuration: "backupResult.config.a.b". INVALID: no such field (the nearest is named), not for providers to write, or a
 * value that does not fit. CANCELLED: the call has ended. */
ORR_API int orr_hook_set(orr_hook *hook, const char *path, const char *json, orr_error *reterr);
/* Both return when it is durable; not on the thread that turns the wheels (MISUSE): there, the ones below. act is for the journal: "POST
 * https://host:443". An error says that nothing may leave (the call has ended, the deadline has passed, the store failed). */
ORR_API int orr_hook_sent(orr_hook *hook, const char *act, orr_error *reterr);
ORR_API int orr_hook_save(orr_hook *hook, orr_error *reterr);
/* The same, but ready is called later, once, on the thread that turns the wheels, with 0 or why not (err borrowed), and the handle is still there
 * then: call orr_hook_done only afterwards. Not 0: it is not called. */
typedef void (*orr_hook_ready)(void *arg, orr_hook *hook, int code, const orr_error *err);
ORR_API int orr_hook_sent_then(orr_hook *hook, const char *act, orr_hook_ready ready, void *arg, orr_error *reterr);
ORR_API int orr_hook_save_then(orr_hook *hook, orr_hook_ready ready, void *arg, orr_error *reterr);
ORR_API int orr_hook_stopped(const orr_hook *hook);          /* 0, or DEADLINE, CANCELLED: clean up and end */
/* Ends the hook with a ServiceResponse as JSON: { success, msg, errors: { field: message }, data, inProgress }, or { retry: true, after:
 * seconds, msg }, or { gone: true, msg }; NULL is success. INVALID: it is none, and the handle stays. CANCELLED: the call had ended without
 * it. In every other case the handle is gone. */
ORR_API int orr_hook_done(orr_hook *hook, const char *answer, orr_error *reterr);
/* Ends it as an error that is raised in Lua would: error is a word of docs/errors.md; one that is retryable ("unreachable") counts as retry.
 * unsent is not 0 if it is certain that nothing has left. */
ORR_API int orr_hook_fail(orr_hook *hook, const char *error, const char *message, int unsent, orr_error *reterr);

/* ---- turning the wheels ------------------------------------------------------------------------------------- */

/* Whose loop? Choose one of three; events are pulled by orr_next in each.
 *
 *   its own, in this thread     orr_wait: the next event, however long it takes; orr_run: until orr_stop
 *   its own, in another thread  orr_start, then orr_wait, or orr_event_fd in your loop and orr_next; orr_stop
 *   yours                       watch orr_fd for reading; when it is readable, orr_step(runtime, 0) and then orr_next until NULL
 *
 * While nothing is due, nothing wakes up. From inside one of the runtime's own callbacks (hooks in C) these functions are MISUSE. */

/* Does what is due, waiting at most max_wait_ms for something to become due (0: not at all, -1: as long as it takes).
 * Returns 1 if anything was done or an event waits, else 0. */
ORR_API int orr_step(orr_runtime *runtime, int64_t max_wait_ms);
/* Readable while there is something to do: timers, I/O and events that wait are all in it. Level-triggered, the runtime's own until
 * orr_close: do not read or close it. Negative: CLOSED, MISUSE, or IO (no descriptors left). Virtual time does not make it readable. */
ORR_API int orr_fd(const orr_runtime *runtime);
/* How long to wait for it at most (-1: for ever, 0: step now). Not needed: the descriptor knows. */
ORR_API int64_t orr_timeout_ms(const orr_runtime *runtime);
/* The next event, as orr_next; until there is one, turns the wheels, or waits for the thread that does, for at most max_wait_ms
 * (-1: as long as it takes). NULL: the time is up, or the runtime is closed. */
ORR_API orr_event *orr_wait(orr_runtime *runtime, int64_t max_wait_ms);
/* Turns the wheels until orr_stop, called meanwhile by any thread, or before: what was said while nothing ran, once or more often, ends the
 * next orr_run as it begins. MISUSE: it runs already. */
ORR_API int orr_run(orr_runtime *runtime, orr_error *reterr);
/* The same in a thread of its own, which has all signals blocked, and returns. It runs until an orr_stop that is called from then on: what was
 * said before is forgotten. IO: there is no thread to be had. */
ORR_API int orr_start(orr_runtime *runtime, orr_error *reterr);
/* Ends orr_run soon, and what orr_start began before it returns, to however many threads that call it; one of the runtime's own callbacks may
 * call it, too, and is not kept waiting. */
ORR_API void orr_stop(orr_runtime *runtime);
/* Readable while an event waits for orr_next; otherwise like orr_fd. */
ORR_API int orr_event_fd(orr_runtime *runtime);

/* ---- providers from memory, time for tests ------------------------------------------------------------------ */

/* Adds (or replaces by a new version) a provider under its code. PROVIDER says what is wrong with it; a version that
 * fails its checks never replaces a working one. */
ORR_API int orr_provider_add(orr_runtime *runtime, const char *code, const char *source, size_t len, orr_error *reterr);
/* Runtimes opened with the setting clock=virtual: moves time on by that many milliseconds, running everything that
 * becomes due on the way, and waiting for what is really in flight. MISUSE on a real clock. Returns 1 before the time is up where calls
 * to the host wait to be pulled: answer them, and move on by what is left. */
ORR_API int orr_advance(orr_runtime *runtime, int64_t ms, orr_error *reterr);
ORR_API int64_t orr_now(const orr_runtime *runtime); /* its wall clock */
/* Dying, for tests: with the settings store=memory and clock=virtual. How many transactions have committed so far; and the runtime that
 * finds what a process leaves that is killed right after the first `commits` of them: `from` is dropped where it is (it is taken, also
 * when this fails), the new one is opened on what they wrote, its clock goes on where that of `from` was. MISUSE for other settings, or
 * if there were not so many; LIMIT beyond 20,000. Providers from memory have to be added again; another seed gives it ids of its own. */
ORR_API size_t orr_commits(const orr_runtime *runtime);
ORR_API int orr_cut(orr_runtime *from, size_t commits, const orr_settings *settings, orr_runtime **ret_runtime, orr_error *reterr);

/* ---- care --------------------------------------------------------------------------------------------------- */

/* Checks the database of a data directory that nobody holds (LOCKED else). *ret_report (free with orr_text_free) has a
 * line per finding; 0 if there is none, else CORRUPT. */
ORR_API int orr_db_check(const char *data_dir, char **ret_report, orr_error *reterr);
ORR_API void orr_text_free(char *text);

#ifdef __cplusplus
}
#endif

#endif
