/* A backtracking matcher for Lua's patterns that gives up after a written number of steps.
 *
 * The stock matcher needs 23 s for ("..."):find(".-.-y") on 3 KB, inside C where no hook can stop it; here every item
 * tried and every byte consumed is a step. Recursion happens only at repeated items, so its depth is bounded by the
 * pattern, not by the subject.
 *
 * Captures need no undoing: an item writes only its own capture, and every way to success passes all items in order. */
#include "pattern.h"

#include <string.h>

enum { MAX_DEPTH = 200 };
#define STEPS_BASE UINT64_C(1000000)
#define STEPS_PER_BYTE 8u

enum item_kind { ITEM_SET, ITEM_BYTE, ITEM_OPEN, ITEM_POSITION, ITEM_CLOSE, ITEM_BACK, ITEM_BALANCE, ITEM_FRONTIER, ITEM_END, ITEM_ERROR };
enum repeat { ONCE, MANY, SOME, FEW, MAYBE }; /* none, *, +, -, ? */

struct orr__pattern_item {
  enum item_kind kind;
  enum repeat repeat;
  union {
    uint8_t set[32];             /* SET, FRONTIER: a bit per byte */
    unsigned char byte;          /* BYTE */
    unsigned capture;            /* OPEN, POSITION, CLOSE, BACK */
    unsigned char pair[2];       /* BALANCE */
    const char *message;         /* ERROR */
  } of;
};

/* ---- compiling --------------------------------------------------------------------------------------------- */

typedef struct compiler {
  orr__pattern *out;
  const char *at, *end;
  unsigned open[ORR_PATTERN_CAPTURES];
  unsigned open_count;
} compiler;

static bool in_range(unsigned char c, unsigned char from, unsigned char to) {
  return c >= from && c <= to;
}

static bool is_alpha(unsigned char c) {
  return in_range(c, 'a', 'z') || in_range(c, 'A', 'Z');
}

static bool is_graphic(unsigned char c) {
  return in_range(c, 0x21, 0x7e);
}

/* Is c in the class that %letter stands for? ASCII, as LuaJIT has it whatever the locale. A letter that is none: itself. */
static bool in_class(unsigned char c, unsigned char letter) {
  bool is;
  switch (letter | 0x20) {
  case 'a': is = is_alpha(c); break;
  case 'c': is = c < 0x20 || c == 0x7f; break;
  case 'd': is = in_range(c, '0', '9'); break;
  case 'g': is = is_graphic(c); break;
  case 'l': is = in_range(c, 'a', 'z'); break;
  case 'p': is = is_graphic(c) && !is_alpha(c) && !in_range(c, '0', '9'); break;
  case 's': is = c == ' ' || in_range(c, '\t', '\r'); break;
  case 'u': is = in_range(c, 'A', 'Z'); break;
  case 'w': is = is_alpha(c) || in_range(c, '0', '9'); break;
  case 'x': is = in_range(c, '0', '9') || in_range(c | 0x20, 'a', 'f'); break;
  case 'z': is = c == 0; break;
  default: return c == letter;
  }
  return (letter & 0x20) ? is : !is;
}

static void set_add(uint8_t set[32], unsigned c) {
  set[c >> 3] |= (uint8_t)(1u << (c & 7));
}

static bool set_has(const uint8_t set[32], unsigned char c) {
  return set[c >> 3] & (1u << (c & 7));
}

static void set_add_class(uint8_t set[32], unsigned char letter) {
  for (unsigned c = 0; c < 256; c++) {
    if (in_class((unsigned char)c, letter)) set_add(set, c);
  }
}

/* Where the set that begins behind `[` at `at` ends: at its `]`, or NULL. The first character is never the end. */
static const char *set_end(const char *at, const char *end) {
  if (at < end && *at == '^') at++;
  do {
    if (at >= end) return NULL;
    if (*at++ == '%') {
      if (at >= end) return NULL;
      at++;
    }
  } while (at >= end || *at != ']');
  return at;
}

/* Fills the set from what is behind `[`; false if it does not end. */
static bool take_set(compiler *c, uint8_t set[32]) {
  const char *close = set_end(c->at, c->end);
  if (!close) return false;
  bool negated = *c->at == '^';
  memset(set, 0, 32);
  for (const char *p = c->at + negated; p < close; p++) {
    if (*p == '%') {
      p++;
      set_add_class(set, (unsigned char)*p);
    } else if (p[1] == '-' && p + 2 < close) {
      for (unsigned b = (unsigned char)p[0]; b <= (unsigned char)p[2]; b++) set_add(set, b);
      p += 2;
    } else {
      set_add(set, (unsigned char)*p);
    }
  }
  if (negated) {
    for (int i = 0; i < 32; i++) set[i] = (uint8_t)~set[i];
  }
  c->at = close + 1;
  return true;
}

static void fail(orr__pattern_item *item, const char *message) {
  item->kind = ITEM_ERROR;
  item->of.message = message;
}

static void take_open(compiler *c, orr__pattern_item *item) {
  if (c->out->captures == ORR_PATTERN_CAPTURES) {
    fail(item, "too many captures");
    return;
  }
  unsigned capture = c->out->captures++;
  bool is_position = c->at < c->end && *c->at == ')';
  item->kind = is_position ? ITEM_POSITION : ITEM_OPEN;
  item->of.capture = capture;
  c->out->closed[capture] = is_position;
  if (is_position) c->at++;
  else c->open[c->open_count++] = capture;
}

static void take_close(compiler *c, orr__pattern_item *item) {
  if (c->open_count == 0) {
    fail(item, "invalid pattern capture");
    return;
  }
  item->kind = ITEM_CLOSE;
  item->of.capture = c->open[--c->open_count];
  c->out->closed[item->of.capture] = true;
}

static void take_back(compiler *c, orr__pattern_item *item, unsigned capture) {
  if (capture >= c->out->captures || !c->out->closed[capture]) {
    fail(item, "invalid capture index");
    return;
  }
  item->kind = ITEM_BACK;
  item->of.capture = capture;
}

static void take_repeat(compiler *c, orr__pattern_item *item) {
  static const char marks[] = "*+-?";
  const char *mark = c->at < c->end && *c->at ? strchr(marks, *c->at) : NULL;
  if (!mark) return;
  item->repeat = MANY + (enum repeat)(mark - marks);
  c->at++;
}

/* What is behind a `%`, which is taken already. */
static void take_escape(compiler *c, orr__pattern_item *item) {
  if (c->at >= c->end) {
    fail(item, "malformed pattern (ends with '%')");
    return;
  }
  unsigned char letter = (unsigned char)*c->at++;
  if (letter == 'b') {
    if (c->end - c->at < 2) {
      fail(item, "unbalanced pattern");
      return;
    }
    item->kind = ITEM_BALANCE;
    memcpy(item->of.pair, c->at, 2);
    c->at += 2;
  } else if (letter == 'f') {
    item->kind = ITEM_FRONTIER;
    if (c->at >= c->end || *c->at++ != '[') fail(item, "missing '[' after '%f' in pattern");
    else if (!take_set(c, item->of.set)) fail(item, "malformed pattern (missing ']')");
  } else if (in_range(letter, '0', '9')) {
    take_back(c, item, (unsigned)letter - '1'); /* %0 wraps and is refused */
  } else {
    item->kind = ITEM_SET;
    memset(item->of.set, 0, sizeof item->of.set);
    set_add_class(item->of.set, letter);
    take_repeat(c, item);
  }
}

static void take_item(compiler *c, orr__pattern_item *item) {
  char first = *c->at++;
  item->repeat = ONCE;
  if (first == '(') {
    take_open(c, item);
  } else if (first == ')') {
    take_close(c, item);
  } else if (first == '%') {
    take_escape(c, item);
  } else if (first == '$' && c->at == c->end) {
    item->kind = ITEM_END;
  } else if (first == '[') {
    item->kind = ITEM_SET;
    if (take_set(c, item->of.set)) take_repeat(c, item);
    else fail(item, "malformed pattern (missing ']')");
  } else if (first == '.') {
    item->kind = ITEM_SET;
    memset(item->of.set, 0xff, sizeof item->of.set);
    take_repeat(c, item);
  } else {
    item->kind = ITEM_BYTE;
    item->of.byte = (unsigned char)first;
    take_repeat(c, item);
  }
}

size_t orr__pattern_size(size_t len) {
  return sizeof(orr__pattern) + (len + 1) * sizeof(orr__pattern_item);
}

void orr__pattern_compile(orr__pattern *pattern, const char *text, size_t len) {
  compiler c = { .out = pattern, .at = text, .end = text + len };
  memset(pattern, 0, sizeof *pattern);
  pattern->items = (orr__pattern_item *)(void *)(pattern + 1);
  while (c.at < c.end) {
    orr__pattern_item *item = &pattern->items[pattern->count++];
    take_item(&c, item);
    if (item->kind == ITEM_ERROR) return;
  }
}

/* ---- matching ---------------------------------------------------------------------------------------------- */

static bool match_from(const orr__pattern *pattern, orr__match *m, size_t i, size_t at, size_t *ret_end);

static bool give_up(orr__match *m, const char *why) {
  m->error = why;
  return false;
}

static bool step(orr__match *m) {
  if (m->steps_left == 0) return give_up(m, "the pattern takes too many steps on this text; anchor it or say more exactly what may repeat");
  m->steps_left--;
  return true;
}

static bool single(const orr__match *m, const orr__pattern_item *item, size_t at) {
  if (at >= m->len) return false;
  unsigned char c = (unsigned char)m->subject[at];
  return item->kind == ITEM_BYTE ? c == item->of.byte : set_has(item->of.set, c);
}

static bool match_longest(const orr__pattern *p, orr__match *m, size_t i, size_t at, size_t least, size_t *ret_end) {
  size_t count = 0;
  while (single(m, &p->items[i], at + count)) {
    if (!step(m)) return false;
    count++;
  }
  for (; count + 1 > least; count--) {
    if (match_from(p, m, i + 1, at + count, ret_end)) return true;
    if (m->error || count == 0) return false;
  }
  return false;
}

static bool match_shortest(const orr__pattern *p, orr__match *m, size_t i, size_t at, size_t *ret_end) {
  for (;; at++) {
    if (match_from(p, m, i + 1, at, ret_end)) return true;
    if (m->error || !single(m, &p->items[i], at) || !step(m)) return false;
  }
}

static bool match_repeated(const orr__pattern *p, orr__match *m, size_t i, size_t at, size_t *ret_end) {
  if (m->depth >= MAX_DEPTH) return give_up(m, "pattern too complex");
  m->depth++;
  bool found = false;
  switch (p->items[i].repeat) {
  case MANY: found = match_longest(p, m, i, at, 0, ret_end); break;
  case SOME: found = match_longest(p, m, i, at, 1, ret_end); break;
  case FEW: found = match_shortest(p, m, i, at, ret_end); break;
  case MAYBE:
    found = (single(m, &p->items[i], at) && match_from(p, m, i + 1, at + 1, ret_end)) ||
            (!m->error && match_from(p, m, i + 1, at, ret_end));
    break;
  case ONCE: break;
  }
  m->depth--;
  return found;
}

/* %bxy: from an x to the y that balances it. */
static bool match_balance(orr__match *m, const unsigned char pair[2], size_t *at) {
  if (*at >= m->len || (unsigned char)m->subject[*at] != pair[0]) return false;
  size_t open = 1;
  for (size_t here = *at + 1; here < m->len; here++) {
    unsigned char c = (unsigned char)m->subject[here];
    if (!step(m)) return false;
    if (c == pair[1]) {
      if (--open == 0) {
        *at = here + 1;
        return true;
      }
    } else if (c == pair[0]) {
      open++;
    }
  }
  return false;
}

static bool match_frontier(const orr__match *m, const uint8_t set[32], size_t at) {
  unsigned char before = at == 0 ? 0 : (unsigned char)m->subject[at - 1];
  unsigned char here = at < m->len ? (unsigned char)m->subject[at] : 0;
  return !set_has(set, before) && set_has(set, here);
}

/* A position capture has no text: its length wraps round and fits nothing, as in Lua. */
static bool match_back(orr__match *m, unsigned capture, size_t *at) {
  size_t len = m->captures[capture].len;
  if (len > m->len - *at) return false;
  if (memcmp(m->subject + m->captures[capture].start, m->subject + *at, len) != 0) return false;
  uint64_t cost = len / 16;
  m->steps_left = m->steps_left > cost ? m->steps_left - cost : 0;
  *at += len;
  return true;
}

/* One item that is not repeated: moves *at on. */
static bool match_item(orr__match *m, const orr__pattern_item *item, size_t *at) {
  switch (item->kind) {
  case ITEM_SET:
  case ITEM_BYTE:
    if (!single(m, item, *at)) return false;
    ++*at;
    return true;
  case ITEM_OPEN:
    m->captures[item->of.capture].start = *at;
    m->captures[item->of.capture].len = ORR_PATTERN_OPEN;
    return true;
  case ITEM_POSITION:
    m->captures[item->of.capture].start = *at;
    m->captures[item->of.capture].len = ORR_PATTERN_POSITION;
    return true;
  case ITEM_CLOSE:
    m->captures[item->of.capture].len = *at - m->captures[item->of.capture].start;
    return true;
  case ITEM_BACK: return match_back(m, item->of.capture, at);
  case ITEM_BALANCE: return match_balance(m, item->of.pair, at);
  case ITEM_FRONTIER: return match_frontier(m, item->of.set, *at);
  case ITEM_END: return *at == m->len;
  case ITEM_ERROR: break;
  }
  return give_up(m, item->of.message);
}

static bool match_from(const orr__pattern *pattern, orr__match *m, size_t i, size_t at, size_t *ret_end) {
  for (; i < pattern->count; i++) {
    const orr__pattern_item *item = &pattern->items[i];
    if (!step(m)) return false;
    if (item->repeat != ONCE) return match_repeated(pattern, m, i, at, ret_end);
    if (!match_item(m, item, &at)) return false;
  }
  *ret_end = at;
  return true;
}

void orr__match_init(orr__match *match, const char *subject, size_t len) {
  memset(match, 0, offsetof(orr__match, captures));
  match->subject = subject;
  match->len = len;
  match->steps_left = STEPS_BASE + (uint64_t)len * STEPS_PER_BYTE;
}

bool orr__pattern_match(const orr__pattern *pattern, orr__match *match, size_t at, size_t *ret_end) {
  match->depth = 0;
  return match_from(pattern, match, 0, at, ret_end);
}
