/* Writes versions: in place, at once or slowly; renamed over; by links, turned one by one or with the folder; deleted and created; with
 * the litter of editors beside them. Every version has its number in it and tells it to the ledger first of all; a broken one would tell that. */
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "port/crypto.h"

const char *const provider_codes[PROVIDERS] = { "load", "pair" };
static const char *way;

static const char hooks[] =
    "local function tell(what, result)\n"
    "  return http.post(\"http://127.0.0.1:%d/\" .. what .. \"?\" .. version .. \"&\" .. result.uuid)\n"
    "end\n"
    "function provider.executeBackup(backup, backupResult)\n"
    "  tell(\"%s\", backupResult)\n"
    "  sleep(0.02)\n"
    "  backupResult.externalId, backupResult.status = version, \"IN_PROGRESS\"\n"
    "end\n"
    "function provider.refreshBackupResult(backupResult)\n"
    "  local reply = http.get(\"http://127.0.0.1:%d/%s?\" .. version .. \"&\" .. backupResult.uuid)\n"
    "  if reply.body == \"done\" then backupResult.status = \"SUCCEEDED\" end\n"
    "end\n";

static const char *const broken[BROKEN_KINDS] = {
  "if then\n", "undefinedThing()\n", "error('not today')\n", "provider.executeBackup = nil\n", "function provider.executBackup() end\n",
  "function provider.selfTest() return false, 'not today' end\n", "do return end\n", "while true do end\n", "provider.executeBackup = 7\n",
};

uint64_t writer_chance(writer *w, uint64_t below) {
  w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
  return (w->seed >> 33) % below;
}

static _Noreturn void give_up(const char *what, const char *path) {
  fprintf(stderr, "%s %s: %s\n", what, path, strerror(errno));
  exit(1);
}

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- texts --------------------------------------------------------------------------------------------------- */

static char *text_of(writer *w, int provider, int version, bool is_broken) {
  char *both = orr__strf(hooks, w->port, is_broken ? "broken" : "start", w->port, is_broken ? "broken" : "poll");
  int kind = is_broken ? (int)writer_chance(w, BROKEN_KINDS) : -1;
  if (kind == 7 && writer_chance(w, 20)) kind = 0; /* it costs two seconds of everybody's time: seldom */
  char *text = orr__strf("local provider = Provider { apiVersion = 1, code = \"%s\", name = \"Load\", version = \"%d\", refreshInterval = 0.1,\n"
                         "  needs = { http = { \"http://127.0.0.1:%d\" } } }\n"
                         "local version = %s\n%s%s"
                         "return provider\n",
                         provider_codes[provider], version, w->port, provider ? "require(\"part\").version" : "\"VERSION\"", both,
                         kind < 0 ? "" : broken[kind]);
  char *at = text ? strstr(text, "\"VERSION\"") : NULL;
  if (at) { /* as long as the word it takes the place of */
    char number[12];
    snprintf(number, sizeof number, "\"%07d\"", version);
    memcpy(at, number, 9);
  } else if (text && kind < 0) { /* the two files must be of one version */
    char *whole = orr__strf("assert(require(\"part\").version == \"%07d\")\n%s", version, text);
    free(text);
    text = whole;
  }
  free(both);
  if (!text) give_up("text", "");
  return text;
}

static char *part_of(int version) { return orr__strf("return { version = \"%07d\" }\n", version); }

static void hash_of(int provider, const char *text, const char *part, char ret[65]) {
  char *one = orr__sha256_hex(text, strlen(text)), *two = provider ? orr__sha256_hex(part, strlen(part)) : NULL;
  char *list = provider ? orr__strf("%s  pair/init.lua\n%s  pair/part.lua\n", one, two) : NULL;
  char *sha = list ? orr__sha256_hex(list, strlen(list)) : NULL;
  snprintf(ret, 65, "%s", sha ? sha : one);
  free(one);
  free(two);
  free(list);
  free(sha);
}

/* ---- ways ---------------------------------------------------------------------------------------------------- */

static void in_place(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) give_up("write", path);
  close(fd);
}

static void rename_over(const char *path, const char *text) {
  char *beside = orr__strf("%s.%d.tmp", path, (int)getpid());
  in_place(beside, text);
  if (rename(beside, path)) give_up("rename", path);
  free(beside);
}

static void turn_link(const char *path, const char *target) {
  char *beside = orr__strf("%s.next", path);
  unlink(beside);
  if (symlink(target, beside) || rename(beside, path)) give_up("link", path);
  free(beside);
}

static void as_editors_do(const char *path, const char *text) {
  const char *slash = strrchr(path, '/') + 1;
  char *swap = orr__strf("%.*s.%s.swp", (int)(slash - path), path, slash), *copy = orr__strf("%s~", path);
  char *probe = orr__strf("%.*s4913", (int)(slash - path), path);
  in_place(swap, "not Lua");
  in_place(probe, "");
  unlink(probe);
  unlink(copy);
  if (rename(path, copy)) give_up("rename", path);
  in_place(path, text);
  unlink(copy);
  unlink(swap);
  free(swap);
  free(copy);
  free(probe);
}

static void begin_slowly(writer *w, const char *path, const char *text) {
  w->slow_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (w->slow_fd < 0) give_up("write", path);
  w->slow_text = orr__strdup(text);
  w->slow_at = 0;
  w->slow_len = (long)strlen(text);
  w->slow_last_ms = now_ms();
}

static void write_file(writer *w, const char *path, const char *text) {
  switch (writer_chance(w, 5)) {
    case 0: way = "in place"; in_place(path, text); return;
    case 1: way = "renamed over"; rename_over(path, text); return;
    case 2: way = "as editors do"; as_editors_do(path, text); return;
    case 3: way = "slowly"; begin_slowly(w, path, text); return;
  }
  way = "deleted and created";
  unlink(path);
  w->late_path = orr__strdup(path);
  w->late_text = orr__strdup(text);
  w->slow_last_ms = now_ms();
}

static void write_load(writer *w, int version, const char *text) {
  char *path = orr__strf("%s/load.lua", w->folder);
  if (writer_chance(w, 4) == 0) {
    char *to = orr__strf("%s/../elsewhere/load-%d.lua", w->folder, version), *target = orr__strf("../elsewhere/load-%d.lua", version);
    way = "a link turned";
    in_place(to, text);
    turn_link(path, target);
    free(to);
    free(target);
  } else {
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && writer_chance(w, 2)) unlink(path); /* else through the link */
    if (access(path, F_OK)) in_place(path, "");
    write_file(w, path, text);
  }
  free(path);
}

/* `pair` is a link to a folder, as Kubernetes has it: turned with both files, or written into. */
static void write_pair(writer *w, int version, const char *text, const char *part) {
  char *init = orr__strf("%s/pair/init.lua", w->folder), *module = orr__strf("%s/pair/part.lua", w->folder);
  char *link = orr__strf("%s/pair", w->folder);
  if (writer_chance(w, 2) == 0 || access(init, F_OK)) {
    char *to = orr__strf("%s/../elsewhere/pair-%d", w->folder, version), *target = orr__strf("../elsewhere/pair-%d", version);
    char *to_init = orr__strf("%s/init.lua", to), *to_part = orr__strf("%s/part.lua", to);
    way = "a folder's link turned";
    if (mkdir(to, 0755)) give_up("folder", to);
    in_place(to_init, text);
    in_place(to_part, part);
    turn_link(link, target);
    free(to);
    free(target);
    free(to_init);
    free(to_part);
  } else {
    rename_over(module, part);
    write_file(w, init, text);
  }
  free(init);
  free(module);
  free(link);
}

void writer_write(writer *w, int provider, int version, bool is_broken, char ret_sha256[65]) {
  char *text = text_of(w, provider, version, is_broken), *part = part_of(version);
  hash_of(provider, text, part, ret_sha256);
  w->slow_worst_ms = 0;
  if (provider) write_pair(w, version, text, part);
  else write_load(w, version, text);
  free(text);
  free(part);
}

bool writer_is_busy(const writer *w) { return w->slow_text || w->late_path; }

void writer_go_on(writer *w) {
  int64_t pause = now_ms() - w->slow_last_ms;
  if (pause > w->slow_worst_ms) w->slow_worst_ms = pause;
  w->slow_last_ms = now_ms();
  if (w->late_path) {
    in_place(w->late_path, w->late_text);
    free(w->late_path);
    free(w->late_text);
    w->late_path = w->late_text = NULL;
  } else if (w->slow_text) {
    long part = w->slow_len - w->slow_at < 150 ? w->slow_len - w->slow_at : 150;
    if (write(w->slow_fd, w->slow_text + w->slow_at, (size_t)part) != part) give_up("write", "slowly");
    w->slow_at += part;
    if (w->slow_at < w->slow_len) return;
    close(w->slow_fd);
    free(w->slow_text);
    w->slow_text = NULL;
  }
}

const char *writer_way(void) { return way; }
