/* How the shared library reaches LuaJIT: by functions of its own, hidden, that jump to where dlsym found the real ones.
 *
 * A host may link PUC Lua, which defines the same names; linked in the ordinary way, ours would be bound to those, and so would LuaJIT's
 * own calls of itself. So LuaJIT is opened apart, bound to itself first (RTLD_DEEPBIND), and none of its names is seen by anybody. The
 * static library and sanitized builds, whose runtime forbids that flag, link it as usual.
 *
 * The pointers are the same for all runtimes of a process, and are written once. Knows no signature: a jump keeps every argument. */
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

#include "bindings.h"

#define LIBRARY "libluajit-5.1.so.2"

#if defined(__x86_64__)
#define JUMP(name) "jmp *orr__door_" name "(%rip)\n"
#elif defined(__aarch64__)
#define JUMP(name) "adrp x16, orr__door_" name "\nldr x16, [x16, :lo12:orr__door_" name "]\nbr x16\n"
#else
#error "the shared library needs a jump for this processor (ORR_LUA_DOOR=OFF links LuaJIT as usual)"
#endif

#define LUA(name)          \
  void *orr__door_##name;  \
  __asm__(".text\n.globl " #name "\n.hidden " #name "\n.type " #name ", %function\n" #name ":\n" JUMP(#name) ".size " #name ", .-" #name "\n");
#include "luajit.def"
#undef LUA

static const struct door {
  const char *name;
  void **to;
} doors[] = {
#define LUA(name) { #name, &orr__door_##name },
#include "luajit.def"
#undef LUA
};

/* What is missing; NULL: nothing. */
static const char *find_all(void) {
  void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  if (!library) return LIBRARY;
  for (size_t i = 0; i < sizeof doors / sizeof *doors; i++)
    if (!(*doors[i].to = dlsym(library, doors[i].name))) return doors[i].name;
  return NULL;
}

static void open_once(void) { (void)find_all(); }

int orr__lua_open(orr_error *reterr) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, open_once);
  for (size_t i = 0; i < sizeof doors / sizeof *doors; i++)
    if (!*doors[i].to) return orr__error_set(reterr, ORR_E_IO, "LuaJIT cannot be loaded: %s with %s is needed", LIBRARY, doors[i].name);
  return 0;
}
