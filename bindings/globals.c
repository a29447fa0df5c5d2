/* Finds globals that nobody defines by reading the bytecode of a compiled chunk: also in functions that never ran.
 *
 * The dump of a function lists, for every function inside it, its instructions, constants and line numbers. The numbers of the two
 * instructions that matter (read a global, write a global) differ between versions of LuaJIT, so they are read off two one-line
 * chunks first. The dump is never loaded again. Whatever looks unfamiliar ends the search quietly: the check can miss
 * something, the raising metatable of the globals does not.
 *
 * Format: lj_bcdump.h of LuaJIT 2.1. */
#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "prelude_raw.h"
#include "version.h"

#define DUMP_MAX (16u << 20)
#define CONSTANTS_MAX 65536
enum { FLAG_STRIPPED = 2, CONSTANT_TABLE = 1, CONSTANT_I64 = 2, CONSTANT_U64 = 3, CONSTANT_COMPLEX = 4, CONSTANT_STRING = 5 };
enum { KEY_INT = 3, KEY_NUMBER = 4, KEY_STRING = 5 };

typedef struct reader {
  const uint8_t *at, *end;
  bool is_bad;
} reader;

/* One function of the dump; pointers into it. */
typedef struct proto {
  const uint8_t *code, *lines;
  size_t code_count, constant_count;
  uint32_t first_line, line_count;
  struct { const char *text; size_t len; } *names;  /* string constants, in dump order */
} proto;

static const uint8_t *skip(reader *r, size_t count) {
  const uint8_t *at = r->at;
  if (r->is_bad || (size_t)(r->end - r->at) < count) {
    r->is_bad = true;
    return at;
  }
  r->at += count;
  return at;
}

static uint32_t number(reader *r) {
  uint32_t value = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    if (r->is_bad || r->at >= r->end) break;
    uint8_t byte = *r->at++;
    value |= (uint32_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  r->is_bad = true;
  return 0;
}

static void skip_key(reader *r) {
  uint32_t kind = number(r);
  if (kind >= KEY_STRING) skip(r, kind - KEY_STRING);
  else if (kind == KEY_NUMBER) number(r), number(r);
  else if (kind == KEY_INT) number(r);
}

static void read_constant(reader *r, proto *p, size_t i) {
  uint32_t kind = number(r);
  if (kind >= CONSTANT_STRING) {
    p->names[i].len = kind - CONSTANT_STRING;
    p->names[i].text = (const char *)skip(r, p->names[i].len);
  } else if (kind == CONSTANT_TABLE) {
    uint32_t items = number(r), pairs = number(r);
    for (uint32_t k = 0; k < items && !r->is_bad; k++) skip_key(r);
    for (uint32_t k = 0; k < 2 * pairs && !r->is_bad; k++) skip_key(r);
  } else if (kind == CONSTANT_I64 || kind == CONSTANT_U64) {
    number(r), number(r);
  } else if (kind == CONSTANT_COMPLEX) {
    for (int k = 0; k < 4; k++) number(r);
  }
}

/* Reads the next function; false at the end or where the dump looks unfamiliar. */
static bool next_proto(reader *r, proto *p, bool is_stripped) {
  uint32_t size = number(r);
  if (size == 0 || r->is_bad || size > (size_t)(r->end - r->at)) return false;
  reader body = { r->at, r->at + size, false };
  r->at += size;
  const uint8_t *head = skip(&body, 4);
  size_t upvalues = head[3];
  uint32_t constants = number(&body), numbers = number(&body);
  p->code_count = number(&body);
  uint32_t debug_size = is_stripped ? 0 : number(&body);
  p->first_line = debug_size ? number(&body) : 0;
  p->line_count = debug_size ? number(&body) : 0;
  p->code = skip(&body, p->code_count * 4);
  skip(&body, upvalues * 2);
  p->constant_count = constants;
  if (body.is_bad || constants > CONSTANTS_MAX) return false;
  memset(p->names, 0, sizeof *p->names * constants);
  for (uint32_t i = 0; i < constants && !body.is_bad; i++) read_constant(&body, p, i);
  /* Number constants: the lowest bit of the first byte says whether a second part follows. */
  for (uint32_t i = 0; i < numbers && !body.is_bad; i++) {
    bool is_double = body.at < body.end && (*body.at & 1);
    number(&body);
    if (is_double) number(&body);
  }
  p->lines = debug_size && !body.is_bad ? body.at : NULL;
  return !body.is_bad;
}

static uint32_t line_of(const proto *p, size_t instruction) {
  if (!p->lines) return p->first_line;
  const uint8_t *lines = p->lines;
  if (p->line_count < 256) return p->first_line + lines[instruction];
  if (p->line_count < 65536) return p->first_line + (uint32_t)(lines[instruction * 2] | lines[instruction * 2 + 1] << 8);
  uint32_t wide;
  memcpy(&wide, lines + instruction * 4, sizeof wide);
  return p->first_line + wide;
}

static int add_piece(lua_State *L, const void *bytes, size_t len, void *buf) {
  (void)L;
  orr__buf_add(buf, bytes, len);
  return 0;
}

static bool open_dump(reader *r, const orr__buf *dump, bool *ret_stripped) {
  *r = (reader){ (const uint8_t *)orr__buf_text(dump), (const uint8_t *)orr__buf_text(dump) + dump->len, false };
  const uint8_t *magic = skip(r, 4);
  if (r->is_bad || memcmp(magic, "\033LJ", 3) != 0) return false;
  uint32_t flags = number(r);
  *ret_stripped = flags & FLAG_STRIPPED;
  if (!*ret_stripped) skip(r, number(r));
  return !r->is_bad;
}

/* The number of the instruction at `at` of a one-line chunk; -1 if it cannot be told. */
static int opcode_of(lua_State *L, const char *text, size_t at, proto *p) {
  int opcode = -1;
  orr__buf dump;
  reader r;
  bool is_stripped;
  orr__buf_init(&dump, DUMP_MAX);
  if (luaL_loadbufferx(L, text, strlen(text), "=opcode", "t") == 0 && lua_dump(L, add_piece, &dump) == 0 &&
      open_dump(&r, &dump, &is_stripped) && next_proto(&r, p, is_stripped) && at < p->code_count)
    opcode = p->code[at * 4];
  lua_pop(L, 1);
  orr__buf_clear(&dump);
  return opcode;
}

static void report(lua_State *L, const char *chunk, uint32_t line, const char *name, bool is_write, orr__findings *findings) {
  if (orr__sandbox_has(L, name)) return;
  findings->rule = is_write ? ORR_RULE_ASSIGNED_GLOBAL : ORR_RULE_UNDEFINED_GLOBAL;
  const char *near = is_write ? NULL : orr__nearest_key(L, LUA_GLOBALSINDEX, name);
  if (is_write) orr__finding_at(findings, chunk, line, 0, "assignment to undeclared global '%s' (make it local)", name);
  else if (near) orr__finding_at(findings, chunk, line, 0, "undefined global '%s' (did you mean '%s'?)", name, near);
  else orr__finding_at(findings, chunk, line, 0, "undefined global '%s'", name);
}

static void look_through(lua_State *L, const char *chunk, const proto *p, int get, int set, orr__findings *findings) {
  for (size_t i = 0; i < p->code_count; i++) {
    int opcode = p->code[i * 4];
    if (opcode != get && opcode != set) continue;
    /* The operand counts string constants from the end of the list. */
    size_t operand = p->code[i * 4 + 2] | (size_t)p->code[i * 4 + 3] << 8;
    if (operand >= p->constant_count) continue;
    size_t k = p->constant_count - 1 - operand;
    char name[256];
    if (!p->names[k].text || p->names[k].len >= sizeof name) continue;
    memcpy(name, p->names[k].text, p->names[k].len);
    name[p->names[k].len] = '\0';
    report(L, chunk, line_of(p, i), name, opcode == set, findings);
  }
}

void orr__globals_check(lua_State *L, const char *chunk, orr__findings *findings) {
  int function = lua_gettop(L);
  proto p = { 0 };
  /* Lua owns the scratch memory and the dump, as what is called here may raise. */
  p.names = lua_newuserdata(L, sizeof *p.names * CONSTANTS_MAX);
  int get = opcode_of(L, "return x", 0, &p);
  int set = opcode_of(L, "x = nil", 1, &p);
  orr__buf dump;
  orr__buf_init(&dump, DUMP_MAX);
  lua_pushvalue(L, function);
  int rc = lua_dump(L, add_piece, &dump);
  lua_settop(L, function + 1);
  reader r;
  bool is_stripped;
  if (rc == 0 && orr__buf_error(&dump) == 0 && get >= 0 && set >= 0) {
    const char *copy = lua_newuserdata(L, dump.len + 1);
    memcpy((void *)(uintptr_t)copy, orr__buf_text(&dump), dump.len);
    orr__buf kept = { (char *)(uintptr_t)copy, dump.len, dump.len + 1, DUMP_MAX, 0 };
    orr__buf_clear(&dump);
    if (open_dump(&r, &kept, &is_stripped))
      while (next_proto(&r, &p, is_stripped)) look_through(L, chunk, &p, get, set, findings);
  }
  orr__buf_clear(&dump);
  lua_settop(L, function);
}
