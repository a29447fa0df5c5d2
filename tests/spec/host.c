/* Runs the project's own contract specs with the kit of bindings/kit, and gives them what only they need: a real HTTP server, and an
 * external system on the other end of one (outside.c).
 *
 * usage: orrery-spec SPEC_DIR RUNNER_PATH [busted options ...] */
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "http_server.h"
#include "kit.h"
#include "outside.h"

#define SERVER "orrery.server"

/* What is answered lies in the path: /status/503 that status, /wait/MS that many milliseconds later, /flaky 503 (with
 * Retry-After) the first time and 200 then; all else 200. The body tells what came: { "method", "path", "nth", "head", "body" } with the last two as hexadecimal. */
static enum http_after serve(http_call *call) {
  char body[8192];
  int status = 200, wait_ms = 0;
  size_t at;
  if (sscanf(call->path, "/status/%d", &status) != 1) status = 200;
  if (sscanf(call->path, "/wait/%d", &wait_ms) == 1) usleep((useconds_t)wait_ms * 1000);
  if (strncmp(call->path, "/flaky", 6) == 0 && call->nth == 1) status = 503;
  at = (size_t)snprintf(body, sizeof body, "{\"method\":\"%s\",\"path\":\"%s\",\"nth\":%d,\"head\":\"", call->method, call->path, call->nth);
  for (const char *c = call->head; *c && at < sizeof body / 2; c++) at += (size_t)snprintf(body + at, sizeof body - at, "%02x", (unsigned char)*c);
  at += (size_t)snprintf(body + at, sizeof body - at, "\",\"body\":\"");
  for (size_t i = 0; i < call->body_len && at < sizeof body - 16; i++) at += (size_t)snprintf(body + at, sizeof body - at, "%02x", (unsigned char)call->body[i]);
  snprintf(body + at, sizeof body - at, "\"}");
  http_answer(call, status, status == 503 ? "Content-Type: application/json\r\nRetry-After: 1\r\n" : "Content-Type: application/json\r\n", body);
  return HTTP_KEEP;
}

static int l_server(lua_State *L) {
  http_server **at = lua_newuserdata(L, sizeof *at);
  *at = http_server_new(serve, NULL);
  luaL_getmetatable(L, SERVER);
  lua_setmetatable(L, -2);
  lua_pushinteger(L, http_server_port(*at));
  return 2;
}

static int l_server_count(lua_State *L) {
  http_server **at = luaL_checkudata(L, 1, SERVER);
  lua_pushinteger(L, http_server_count(*at, luaL_checkstring(L, 2)));
  return 1;
}

static int l_server_free(lua_State *L) {
  http_server **at = luaL_checkudata(L, 1, SERVER);
  if (*at) http_server_free(*at);
  *at = NULL;
  return 0;
}

static const char *spec_dir, *runner_path;

static int extend(lua_State *L) {
  static const luaL_Reg functions[] = { { "server", l_server }, { "serverCount", l_server_count }, { "serverFree", l_server_free }, { NULL, NULL } };
  luaL_newmetatable(L, SERVER);
  lua_pushcfunction(L, l_server_free);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_register(L, NULL, functions);
  outside_register(L);
  lua_pushstring(L, spec_dir);
  lua_setglobal(L, "ORRERY_SPEC_DIR");
  lua_pushstring(L, runner_path);
  lua_setglobal(L, "ORRERY_RUNNER");
  return 0;
}

int main(int argc, char **argv) {
  char path[4096];
  if (argc < 3 || strlen(argv[1]) + sizeof "--lpath=/?.lua" > sizeof path) {
    fprintf(stderr, "usage: orrery-spec SPEC_DIR RUNNER_PATH [busted options ...]\n");
    return 2;
  }
  spec_dir = argv[1];
  runner_path = argv[2];
  snprintf(path, sizeof path, "--lpath=%s/?.lua", spec_dir);
  argv[2] = path;
  return orr__kit_main(&(orr__kit_run){ .module = "specs", .args = (const char *const *)argv + 2, .arg_count = (size_t)argc - 2, .extend = extend });
}
