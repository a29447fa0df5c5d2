/* Refreshes with one HTTP poll each, and HTTP from many hooks at a time.
 *
 * Both go to the epoll server of server.c, in a process of its own; what is compared is the processor time on our side. The sum of a
 * poll's parts: a request of bare libcurl at the same level, a refresh without HTTP, and the body parsed by cJSON and put into a Lua
 * table, measured in the same run. */
#include <cJSON.h>
#include <lauxlib.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare_http.h"
#include "base/str.h"
#include "rig.h"
#include "server.h"

static const char poll_source[] =
    "local provider = Provider { apiVersion = 1, code = 'bench', name = 'Bench', version = '1', needs = { http = { 'http://127.0.0.1:' .. PORT } } }\n"
    "local n = 0\n"
    "local address = 'http://127.0.0.1:' .. PORT .. '/jobs/'\n"
    "local states = { running = 'IN_PROGRESS', done = 'SUCCEEDED' }\n"
    "function provider.executeBackup() end\n"
    "function provider.refreshBackupResult(r)\n"
    "  local job = POLLS and http.get(address .. r.externalId):json() or { percent = 42.5, bytes = 73014444032, state = 'running' }\n"
    "  n = n + 1\n"
    "  r.progress = (r.progress or 0) + job.percent\n  r.sizeInBytes = job.bytes + n\n  r.status = states[job.state]\n"
    "  r.durationMillis = n\n  r.statusMessage = 'pass ' .. n\n"
    "  if n % ROUND == 0 then log.info('round') end\n"
    "end\n"
    "return provider\n";

/* ---- parsing ------------------------------------------------------------------------------------------------------ */

static void push_tree(lua_State *L, const cJSON *item) {
  luaL_checkstack(L, 4, "JSON");
  if (cJSON_IsString(item)) lua_pushstring(L, item->valuestring);
  else if (cJSON_IsNumber(item)) lua_pushnumber(L, item->valuedouble);
  else if (cJSON_IsBool(item)) lua_pushboolean(L, cJSON_IsTrue(item));
  else if (cJSON_IsArray(item)) {
    int i = 0;
    const cJSON *child;
    lua_newtable(L);
    cJSON_ArrayForEach(child, item) {
      push_tree(L, child);
      lua_rawseti(L, -2, ++i);
    }
  } else if (cJSON_IsObject(item)) {
    const cJSON *child;
    lua_newtable(L);
    cJSON_ArrayForEach(child, item) {
      push_tree(L, child);
      lua_setfield(L, -2, child->string);
    }
  } else {
    lua_pushnil(L);
  }
}

/* Seconds of processor time to parse the body into a Lua table. */
static double parse_cost(int count) {
  lua_State *L = luaL_newstate();
  double cpu = bench_cpu();
  for (int i = 0; i < count; i++) {
    cJSON *tree = cJSON_ParseWithLength(bench_body, strlen(bench_body));
    push_tree(L, tree);
    lua_pop(L, 1);
    cJSON_Delete(tree);
  }
  cpu = bench_cpu() - cpu;
  lua_close(L);
  return cpu / count;
}

/* ---- polled refreshes --------------------------------------------------------------------------------------------- */

typedef struct polled {
  char *dir;
  rig r;
  long round;
} polled;

static void polled_open(polled *p, const bench *b, size_t level, int port, bool polls) {
  p->dir = bench_folder(b);
  p->round = b->is_smoke ? 200 : (long)(level * 4 > 10000 ? level * 4 : 10000);
  seed_results(p->dir, (int64_t)level, 0.001);
  char *source = orr__strf("local PORT, POLLS, ROUND = %d, %s, %ld\n%s", port, polls ? "true" : "false", p->round, poll_source);
  rig_open(&p->r, b, p->dir, source);
  free(source);
}

/* Seconds of processor time for each refresh of a round. */
static double polled_round(bench *b, polled *p) {
  double cpu = bench_cpu();
  if (!rig_until_round(&p->r, p->r.rounds + 1)) bench_check(b, false, "poll: a round of %ld did not come to its end", p->round);
  return (bench_cpu() - cpu) / (double)p->round;
}

static void polled_close(bench *b, polled *p, const char *what) {
  rig_settle(&p->r);
  rig_close(&p->r);
  sqlite3 *db = bare_open(p->dir);
  int64_t changes = bare_number(db, "SELECT CAST(round(sum(progress) / 42.5) AS INTEGER) FROM result");
  int64_t hooks = bare_number(db, "SELECT max(durationMillis) FROM result");
  int64_t odd = bare_number(db, "SELECT count(*) FROM result WHERE errorCount > 0 OR attention IS NOT NULL");
  bare_close(db);
  bench_check(b, hooks == changes && odd == 0 && hooks >= p->round, "%s: %lld hooks came to their end, %lld changes are stored, %lld results with errors",
              what, (long long)hooks, (long long)changes, (long long)odd);
  bench_folder_remove(p->dir);
}

static void poll_level(bench *b, size_t level) {
  series parts = { .count = 0 }, whole = { .count = 0 }, request = { .count = 0 }, refresh = { .count = 0 }, parse = { .count = 0 };
  bench_server server = bench_server_start(b->is_smoke ? 5 : 100);
  polled with_http, without;
  size_t odd = 0, before = bench_rss();
  bench_title("refresh with one HTTP poll each, 100 ms replies, %zu in flight", level);
  polled_open(&with_http, b, level, server.port, true);
  polled_round(b, &with_http); /* connections are made */
  size_t resident = bench_rss();
  polled_open(&without, b, level, server.port, false);
  for (int i = 0; i < b->runs; i++) {
    bare_http *bare = bare_http_new(server.port, level);
    bare_http_run(bare, level, &odd);
    series_add(&request, 1e6 * bare_http_run(bare, (size_t)with_http.round, &odd));
    bare_http_free(bare);
    series_add(&whole, 1e6 * polled_round(b, &with_http));
    series_add(&refresh, 1e6 * polled_round(b, &without));
    series_add(&parse, 1e6 * parse_cost(b->is_smoke ? 100 : 20000));
    series_add(&parts, request.values[i] + refresh.values[i] + parse.values[i]);
  }
  bench_show("bare libcurl, a request", "us", &request);
  bench_show("a refresh without HTTP", "us", &refresh);
  bench_show("the body into a Lua table by cJSON", "us", &parse);
  bench_compare("sum of the parts; a polled refresh (processor time)", "us", BENCH_COST, &parts, &whole, 1 / 1.4);
  bench_note("16,700 a second would take %.2f of a core; memory: %.1f KiB for each poll in flight", series_median(&whole) * 16700 / 1e6,
             (double)(resident - before) / 1024 / (double)level);
  bench_check(b, odd == 0, "poll: bare libcurl got every answer");
  polled_close(b, &with_http, "poll");
  polled_close(b, &without, "poll: without HTTP");
  bench_server_stop(server);
}

void case_poll(bench *b) {
  if (b->is_smoke) {
    poll_level(b, 50);
    return;
  }
  poll_level(b, 1000);
  poll_level(b, 5000);
}

/* ---- fan-out ------------------------------------------------------------------------------------------------------ */

/* Every result's hook asks again and again; nothing is written, so what remains is HTTP from hooks. */
static const char fanout_source[] =
    "local provider = Provider { apiVersion = 1, code = 'bench', name = 'Bench', version = '1', timeouts = { refreshBackupResult = 3600 },\n"
    "  needs = { http = { 'http://127.0.0.1:' .. PORT } } }\n"
    "local n, odd = 0, 0\n"
    "local address = 'http://127.0.0.1:' .. PORT .. '/jobs/'\n"
    "function provider.executeBackup() end\n"
    "function provider.refreshBackupResult(r)\n"
    "  local mine = address .. r.externalId\n"
    "  for _ = 1, 200 do\n"
    "    local reply = http.get(mine)\n"
    "    if reply.status ~= 200 or #reply.body ~= LENGTH then log.error('odd answer') end\n"
    "    n = n + 1\n"
    "    if n % ROUND == 0 then log.info('round') end\n"
    "  end\n"
    "end\n"
    "return provider\n";

static void fanout_level(bench *b, size_t level) {
  series bare_cost = { .count = 0 }, our_cost = { .count = 0 }, bare_rate = { .count = 0 }, our_rate = { .count = 0 };
  long round = b->is_smoke ? 200 : 50000;
  bench_server server = bench_server_start(0);
  char *dir = bench_folder(b);
  size_t odd = 0;
  rig r;
  bench_title("HTTP fan-out from hooks, %zu in flight", level);
  seed_results(dir, (int64_t)level, 0.001);
  char *source = orr__strf("local PORT, LENGTH, ROUND = %d, %zu, %ld\n%s", server.port, strlen(bench_body), round, fanout_source);
  rig_open(&r, b, dir, source);
  bool is_whole = rig_until_round(&r, 1);
  for (int i = 0; i < b->runs && is_whole; i++) {
    bare_http *bare = bare_http_new(server.port, level);
    bare_http_run(bare, level, &odd);
    double start = bench_now();
    series_add(&bare_cost, 1e6 * bare_http_run(bare, (size_t)round, &odd));
    series_add(&bare_rate, (double)round / (bench_now() - start));
    bare_http_free(bare);
    uint64_t target = r.rounds + 2; /* the one under way began before */
    is_whole = rig_until_round(&r, target - 1);
    double cpu = bench_cpu();
    start = bench_now();
    is_whole = is_whole && rig_until_round(&r, target);
    series_add(&our_cost, (bench_cpu() - cpu) * 1e6 / (double)round);
    series_add(&our_rate, (double)round / (bench_now() - start));
  }
  bench_compare("processor time of a request", "us", BENCH_COST, &bare_cost, &our_cost, 0.8);
  bench_compare("requests completed", "requests/s", BENCH_RATE, &bare_rate, &our_rate, 0);
  bench_note("memory: %.1f MiB resident at most", (double)bench_peak() / 1048576);
  bench_check(b, is_whole, "fanout: %d rounds of %ld answers", (int)r.rounds, round);
  bench_check(b, odd == 0, "fanout: bare libcurl got every answer");
  rig_close(&r);
  free(source);
  bench_folder_remove(dir);
  bench_server_stop(server);
}

void case_fanout(bench *b) {
  if (b->is_smoke) {
    fanout_level(b, 20);
    return;
  }
  fanout_level(b, 100);
  fanout_level(b, 1000);
  fanout_level(b, 5000);
}
