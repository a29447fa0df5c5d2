/* The openers of the libraries' C halves (lib.h), one per file lib_<name>.c. Each pushes its table of raw functions. */
#ifndef ORR_BINDINGS_LIBRARIES_H
#define ORR_BINDINGS_LIBRARIES_H

#include <lua.h>
#include <stdbool.h>

#include "core/provider.h"

void orr__lib_string(lua_State *L);
void orr__lib_json(lua_State *L);
void orr__lib_base64(lua_State *L);
void orr__lib_hash(lua_State *L);
void orr__lib_hmac(lua_State *L);
void orr__lib_url(lua_State *L);
void orr__lib_uuid(lua_State *L);
void orr__lib_time(lua_State *L);
void orr__lib_sleep(lua_State *L);
void orr__lib_defer(lua_State *L);
void orr__lib_random(lua_State *L);
void orr__lib_log(lua_State *L);
void orr__lib_secret(lua_State *L);
void orr__lib_fs(lua_State *L);
void orr__lib_process(lua_State *L);
void orr__lib_job(lua_State *L);
void orr__lib_session(lua_State *L);
void orr__lib_http(lua_State *L);
void orr__lib_host(lua_State *L);
/* lib_log.c: a line for the log, redacted; what is more than a call may write is dropped. May raise for memory. */
void orr__log_line(lua_State *L, enum orr__log_level level, const char *text, size_t len);
bool orr__header_carries_credentials(const char *name); /* lib_http.c: authorization, cookie ... */
int orr__host_run(lua_State *L); /* computeServer:run{ ... } */

#endif
