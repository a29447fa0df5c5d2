/* base64, hash, hmac, url (percent-encoding) and uuid: bytes in, text out. Pure; only a digest of a file touches the world
 * (lib_hash_file.c). */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "base/str.h"
#include "libraries.h"
#include "lib_hash_file.h"
#include "scope.h"
#include "state.h"
#include "wait.h"

static int push_taken(lua_State *L, orr__scope *scope, size_t len) {
  if (!scope->held) return luaL_error(L, "out of memory");
  lua_pushlstring(L, scope->held, len);
  orr__scope_close(scope);
  return 1;
}

/* ---- base64 ------------------------------------------------------------------------------------------------ */

static int encode64(lua_State *L, bool url, const char *what) {
  size_t len, out_len = 0;
  const char *bytes = orr__arg_text(L, 1, what, &len);
  orr__scope *scope = orr__scope_push(L, free);
  scope->held = orr__base64(bytes, len, url, &out_len);
  return push_taken(L, scope, out_len);
}

static int base64_encode(lua_State *L) {
  return encode64(L, false, "base64.encode: bytes");
}

static int base64_encode_url(lua_State *L) {
  return encode64(L, true, "base64.encodeUrl: bytes");
}

static int base64_decode(lua_State *L) {
  size_t len, out_len = 0;
  const char *text = orr__arg_text(L, 1, "base64.decode: text", &len);
  orr__scope *scope = orr__scope_push(L, free);
  scope->held = orr__base64_decode(text, len, &out_len);
  if (scope->held) return push_taken(L, scope, out_len);
  lua_pushnil(L);
  lua_pushliteral(L, "not base64");
  return 2;
}

void orr__lib_base64(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "encode", base64_encode }, { "encodeUrl", base64_encode_url }, { "decode", base64_decode }, { NULL, NULL }
  };
  lua_newtable(L);
  luaL_register(L, NULL, functions);
}

/* ---- hash, hmac -------------------------------------------------------------------------------------------- */

static int push_digest(lua_State *L, const uint8_t *digest, size_t len, bool is_raw) {
  if (is_raw) {
    lua_pushlstring(L, (const char *)digest, len);
    return 1;
  }
  orr__scope *scope = orr__scope_push(L, free);
  scope->held = orr__hex(digest, len);
  return push_taken(L, scope, len * 2);
}

static int hash(lua_State *L, enum orr__digest kind, const char *what) {
  uint8_t digest[ORR_DIGEST_MAX];
  size_t len;
  const char *bytes = orr__arg_text(L, 1, what, &len);
  orr__slice_work(orr__version_of(L), len);
  return push_digest(L, digest, orr__hash(kind, bytes, len, digest), lua_toboolean(L, 2));
}

static int hash_sha256(lua_State *L) {
  return hash(L, ORR_SHA256, "hash.sha256: bytes");
}

static int hash_sha512(lua_State *L) {
  return hash(L, ORR_SHA512, "hash.sha512: bytes");
}

static int hmac(lua_State *L, enum orr__digest kind, const char *key_what, const char *what) {
  uint8_t digest[ORR_DIGEST_MAX];
  size_t key_len, len;
  const char *key = orr__arg_text(L, 1, key_what, &key_len), *bytes = orr__arg_text(L, 2, what, &len);
  orr__slice_work(orr__version_of(L), len);
  return push_digest(L, digest, orr__hmac(kind, key, key_len, bytes, len, digest), lua_toboolean(L, 3));
}

static int hmac_sha256(lua_State *L) {
  return hmac(L, ORR_SHA256, "hmac.sha256: key", "hmac.sha256: bytes");
}

static int hmac_sha512(lua_State *L) {
  return hmac(L, ORR_SHA512, "hmac.sha512: key", "hmac.sha512: bytes");
}

void orr__lib_hash(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "sha256", hash_sha256 }, { "sha512", hash_sha512 }, { "file", orr__hash_file }, { NULL, NULL }
  };
  lua_newtable(L);
  luaL_register(L, NULL, functions);
}

void orr__lib_hmac(lua_State *L) {
  static const luaL_Reg functions[] = { { "sha256", hmac_sha256 }, { "sha512", hmac_sha512 }, { NULL, NULL } };
  lua_newtable(L);
  luaL_register(L, NULL, functions);
}

/* ---- url --------------------------------------------------------------------------------------------------- */

static bool is_unreserved(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

static int url_encode(lua_State *L) {
  static const char digits[] = "0123456789ABCDEF";
  size_t len;
  if (lua_type(L, 1) == LUA_TNUMBER) lua_tostring(L, 1);
  const char *text = orr__arg_text(L, 1, "url.encode: text", &len);
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)text[i];
    if (is_unreserved(c)) {
      luaL_addchar(&out, (char)c);
      continue;
    }
    char escaped[3] = { '%', digits[c >> 4], digits[c & 15] };
    luaL_addlstring(&out, escaped, sizeof escaped);
  }
  luaL_pushresult(&out);
  return 1;
}

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* decode(text, plus): plus: `+` is a blank, as in a query. nil if a `%` is not followed by two hex digits. */
static int url_decode(lua_State *L) {
  size_t len;
  const char *text = orr__arg_text(L, 1, "url.decode: text", &len);
  bool plus = lua_toboolean(L, 2);
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  for (size_t i = 0; i < len; i++) {
    if (text[i] == '+' && plus) {
      luaL_addchar(&out, ' ');
    } else if (text[i] != '%') {
      luaL_addchar(&out, text[i]);
    } else {
      int high = i + 2 < len ? hex_value(text[i + 1]) : -1, low = i + 2 < len ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        lua_pushnil(L);
        lua_pushfstring(L, "'%%' without two hexadecimal digits at byte %d", (int)i + 1);
        return 2;
      }
      luaL_addchar(&out, (char)(high * 16 + low));
      i += 2;
    }
  }
  luaL_pushresult(&out);
  return 1;
}

static void set_part(lua_State *L, const char *name, const char *text) {
  if (!text) return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

static void release_url(void *held) {
  orr__url_clear(held);
  free(held);
}

static int url_parse(lua_State *L) {
  const char *text = orr__arg_line(L, 1, "url.parse: text");
  orr_error err = ORR_ERROR_INIT;
  orr__scope *scope = orr__scope_push(L, release_url);
  orr__url *url = scope->held = calloc(1, sizeof *url);
  if (!url) return luaL_error(L, "out of memory");
  if (orr__url_parse(text, url, &err) != 0) {
    lua_pushnil(L);
    lua_pushstring(L, orr__error_message(&err));
    orr__error_clear(&err);
    return 2;
  }
  lua_createtable(L, 0, 9);
  set_part(L, "scheme", url->scheme);
  set_part(L, "user", url->user);
  set_part(L, "password", url->password);
  set_part(L, "host", url->host);
  set_part(L, "path", url->path);
  set_part(L, "query", url->query);
  set_part(L, "fragment", url->fragment);
  set_part(L, "origin", url->origin);
  lua_pushinteger(L, url->port);
  lua_setfield(L, -2, "port");
  orr__scope_close(scope);
  return 1;
}

void orr__lib_url(lua_State *L) {
  static const luaL_Reg functions[] = { { "encode", url_encode }, { "decode", url_decode }, { "parse", url_parse }, { NULL, NULL } };
  lua_newtable(L);
  luaL_register(L, NULL, functions);
}

/* ---- uuid -------------------------------------------------------------------------------------------------- */

static int uuid_new(lua_State *L) {
  char text[37];
  orr__random_uuid(orr__current_config(L)->random, text);
  lua_pushstring(L, text);
  return 1;
}

static int uuid_valid(lua_State *L) {
  lua_pushboolean(L, lua_type(L, 1) == LUA_TSTRING && strlen(lua_tostring(L, 1)) == lua_objlen(L, 1) && orr__uuid_valid(lua_tostring(L, 1)));
  return 1;
}

void orr__lib_uuid(lua_State *L) {
  static const luaL_Reg functions[] = { { "new", uuid_new }, { "valid", uuid_valid }, { NULL, NULL } };
  lua_newtable(L);
  luaL_register(L, NULL, functions);
}
