/* core/wheel.h against a plain array that is searched and sorted each time. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/wheel.h"

enum { KEYS = 200, BATCH = 64 };

typedef struct model_entry {
  bool is_there, is_late; /* late: set to a time that had been handed out */
  uint64_t key;
  int64_t due_ms;
  uint64_t serial;
} model_entry;

typedef struct model {
  model_entry entries[KEYS];
  int64_t floor_ms; /* all before it was handed out */
  uint64_t serial;
  size_t len;
} model;

static uint64_t next_random(uint64_t *seed) {
  *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return *seed >> 20;
}

static int compare_entries(const void *left, const void *right) {
  const model_entry *a = left, *b = right;
  if (a->is_late != b->is_late) return a->is_late ? -1 : 1;
  if (!a->is_late && a->due_ms != b->due_ms) return a->due_ms < b->due_ms ? -1 : 1;
  return a->serial < b->serial ? -1 : 1;
}

static void model_set(model *m, uint64_t key, int64_t due_ms) {
  model_entry *e = &m->entries[key];
  m->len += !e->is_there;
  *e = (model_entry){true, due_ms < m->floor_ms, key, due_ms, m->serial++};
}

static size_t model_pop(model *m, int64_t now_ms, orr__due *ret_due, size_t max) {
  model_entry due[KEYS];
  size_t found = 0, count = 0;
  for (int i = 0; i < KEYS; i++) {
    model_entry *e = &m->entries[i];
    if (now_ms < m->floor_ms) e->is_late = e->is_there && e->due_ms < now_ms;
    if (e->is_there && e->due_ms <= now_ms) due[found++] = *e;
  }
  if (now_ms < m->floor_ms) m->floor_ms = now_ms;
  qsort(due, found, sizeof *due, compare_entries);
  for (; count < max && count < found; count++) {
    ret_due[count] = (orr__due){due[count].key, due[count].due_ms};
    m->entries[due[count].key].is_there = false;
    m->len--;
    if (!due[count].is_late) m->floor_ms = due[count].due_ms;
  }
  if (count < max) m->floor_ms = now_ms;
  return count;
}

static void check_next(orr__wheel *wheel, const model *m) {
  int64_t first = INT64_MAX, next = orr__wheel_next_ms(wheel);
  for (int i = 0; i < KEYS; i++)
    if (m->entries[i].is_there && m->entries[i].due_ms < first) first = m->entries[i].due_ms;
  assert_true(next <= first);
  if (m->len == 0) assert_true(next == INT64_MAX);
}

static void check_pop(orr__wheel *wheel, model *m, int64_t now_ms, size_t max) {
  orr__due got[BATCH], wanted[BATCH];
  size_t count = model_pop(m, now_ms, wanted, max);
  assert_int_equal(orr__wheel_pop(wheel, now_ms, got, max), count);
  for (size_t i = 0; i < count; i++) {
    assert_true(got[i].due_ms == wanted[i].due_ms);
    assert_true(got[i].key == wanted[i].key);
  }
}

static void run_random(uint64_t seed, int64_t now_ms, int spread_bits, bool may_go_back) {
  orr__wheel *wheel = orr__wheel_new();
  model *m = calloc(1, sizeof *m);
  m->floor_ms = INT64_MIN;
  for (int step = 0; step < 40000; step++) {
    uint64_t key = next_random(&seed) % KEYS;
    int64_t spread = (int64_t)(next_random(&seed) & ((UINT64_C(1) << (next_random(&seed) % spread_bits)) - 1));
    switch (next_random(&seed) % 8) {
      case 0: case 1: case 2: case 3:
        model_set(m, key, now_ms + spread - (next_random(&seed) % 8 ? 0 : spread / 2 + 3));
        assert_int_equal(orr__wheel_set(wheel, key, m->entries[key].due_ms), 0);
        break;
      case 4: {
        bool was_there = m->entries[key].is_there;
        assert_int_equal(orr__wheel_remove(wheel, key), was_there);
        m->entries[key].is_there = false;
        m->len -= was_there;
        break;
      }
      case 5: {
        int64_t due_ms = 0;
        assert_int_equal(orr__wheel_get(wheel, key, &due_ms), m->entries[key].is_there);
        if (m->entries[key].is_there) assert_true(due_ms == m->entries[key].due_ms);
        break;
      }
      case 6:
        if (may_go_back && next_random(&seed) % 100 == 0) now_ms -= spread;
        else now_ms += spread / 8;
        break;
      default:
        check_pop(wheel, m, now_ms, next_random(&seed) % BATCH);
    }
    assert_int_equal(orr__wheel_len(wheel), m->len);
    if (step % 16 == 0) check_next(wheel, m);
  }
  while (m->len > 0) check_pop(wheel, m, INT64_MAX, BATCH);
  assert_true(orr__wheel_next_ms(wheel) == INT64_MAX);
  free(m);
  orr__wheel_free(wheel);
}

static void test_wheel__agrees_with_a_sorted_array(void **state) {
  (void)state;
  run_random(1, 0, 8, false);
  run_random(2, INT64_C(1790000000000), 24, false);
  run_random(3, -1000, 40, false);
}

static void test_wheel__agrees_when_the_clock_goes_back(void **state) {
  (void)state;
  run_random(4, INT64_C(1790000000000), 8, true);
  run_random(5, INT64_C(1790000000000), 26, true);
}

static void test_wheel__the_ends_of_time_are_ordinary(void **state) {
  (void)state;
  orr__wheel *wheel = orr__wheel_new();
  orr__due due[4];
  assert_true(orr__wheel_next_ms(wheel) == INT64_MAX);
  assert_int_equal(orr__wheel_pop(wheel, 0, due, 4), 0);
  orr__wheel_set(wheel, 0, INT64_MAX);
  orr__wheel_set(wheel, UINT64_MAX, INT64_MIN);
  orr__wheel_set(wheel, 5, 5);
  assert_true(orr__wheel_next_ms(wheel) == INT64_MIN);
  assert_int_equal(orr__wheel_pop(wheel, INT64_MAX - 1, due, 4), 2);
  assert_true(due[0].key == UINT64_MAX && due[1].key == 5);
  assert_int_equal(orr__wheel_pop(wheel, INT64_MAX, due, 4), 1);
  assert_int_equal(orr__wheel_len(wheel), 0);
  orr__wheel_free(wheel);
  orr__wheel_free(NULL);
}

static void test_wheel__next_comes_near_in_few_calls(void **state) {
  (void)state;
  const int64_t now_ms = INT64_C(1790000000000);
  for (int64_t away = 1; away < INT64_C(4000000000000); away *= 3) {
    orr__wheel *wheel = orr__wheel_new();
    orr__due due;
    int64_t at = now_ms;
    orr__wheel_pop(wheel, now_ms, &due, 1);
    orr__wheel_set(wheel, 1, now_ms + away);
    int calls = 0;
    while (orr__wheel_pop(wheel, at, &due, 1) == 0) {
      int64_t next = orr__wheel_next_ms(wheel);
      assert_true(next > at && next <= now_ms + away);
      at = next;
      calls++;
    }
    assert_true(at == now_ms + away);
    assert_true(calls <= 11);
    orr__wheel_free(wheel);
  }
}

static void test_wheel__a_million_entries_stay_small(void **state) {
  (void)state;
  enum { MANY = 1000000 };
  struct mallinfo2 before = mallinfo2();
  orr__wheel *wheel = orr__wheel_new();
  const int64_t now_ms = INT64_C(1790000000000);
  uint64_t seed = 9;
  for (uint64_t key = 1; key <= MANY; key++)
    assert_int_equal(orr__wheel_set(wheel, key, now_ms + (int64_t)(next_random(&seed) % 60000)), 0);
  assert_int_equal(orr__wheel_len(wheel), MANY);
  struct mallinfo2 after = mallinfo2();
  size_t bytes = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
  assert_true(bytes <= (size_t)MANY * 48);
  static orr__due due[1000];
  int64_t last = INT64_MIN;
  size_t total = 0, count;
  for (int64_t at = now_ms; total < MANY; at += 100) {
    do {
      count = orr__wheel_pop(wheel, at, due, 1000);
      for (size_t i = 0; i < count; i++) {
        if (due[i].due_ms < last || due[i].due_ms > at) fail_msg("out of order");
        last = due[i].due_ms;
      }
      total += count;
    } while (count == 1000);
  }
  assert_int_equal(total, MANY);
  assert_int_equal(orr__wheel_len(wheel), 0);
  orr__wheel_free(wheel);
}

static size_t bytes_in_use(void) {
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

/* Whatever is moved, wherever to and however often: it never asks for memory, and nothing is lost. */
static void run_moves(uint64_t seed, uint64_t keys, int spread_bits, bool pops) {
  orr__wheel *wheel = orr__wheel_new();
  int64_t *due_ms = calloc(keys, sizeof *due_ms), now_ms = INT64_C(1790000000000);
  orr__due due[BATCH];
  orr__wheel_pop(wheel, now_ms, due, 1);
  for (uint64_t key = 0; key < keys; key++) assert_int_equal(orr__wheel_set(wheel, key, due_ms[key] = now_ms + (int64_t)key), 0);
  size_t before = bytes_in_use();
  for (uint64_t i = 0; i < 400000; i++) {
    uint64_t key = next_random(&seed) % keys;
    due_ms[key] = now_ms + (int64_t)(next_random(&seed) & ((UINT64_C(1) << (1 + next_random(&seed) % (uint64_t)spread_bits)) - 1));
    if (i % 50000 > 40000) due_ms[key] = now_ms - 1 - (int64_t)(i % 3); /* overdue */
    assert_int_equal(orr__wheel_set(wheel, key, due_ms[key]), 0);
    if (i % 70001 == 70000) orr__wheel_pop(wheel, now_ms -= 500, due, 0); /* the clock goes back */
    if (!pops || i % 16 != 0) continue;
    size_t count = orr__wheel_pop(wheel, now_ms += 3, due, 1 + i % BATCH);
    for (size_t k = 0; k < count; k++) {
      assert_true(due_ms[due[k].key] == due[k].due_ms);
      assert_int_equal(orr__wheel_set(wheel, due[k].key, due_ms[due[k].key] = now_ms + 50), 0);
    }
  }
  assert_int_equal(bytes_in_use(), before);
  assert_int_equal(orr__wheel_len(wheel), keys);
  for (uint64_t key = 0; key < keys; key++) {
    int64_t got_ms = 0;
    assert_true(orr__wheel_get(wheel, key, &got_ms) && got_ms == due_ms[key]);
  }
  uint64_t total = 0;
  for (size_t count; (count = orr__wheel_pop(wheel, INT64_MAX, due, BATCH)) > 0; total += count)
    for (size_t k = 0; k < count; k++) assert_true(due_ms[due[k].key] == due[k].due_ms);
  assert_int_equal(total, keys);
  free(due_ms);
  orr__wheel_free(wheel);
}

static void test_wheel__moving_never_asks_for_memory(void **state) {
  (void)state;
  run_moves(11, 1, 40, true);
  run_moves(12, 3, 50, false);
  run_moves(13, 300, 60, true);
  run_moves(14, 705, 60, false);
  run_moves(15, 5000, 6, false);
  run_moves(16, 20000, 32, true);
}

/* Keys that fall on the same places of the index, at its end and around it, are found whatever goes before them. */
static void test_wheel__removing_in_any_order_loses_nobody(void **state) {
  (void)state;
  uint64_t seed = 21;
  for (int round = 0; round < 200; round++) {
    enum { SOME = 190 };
    orr__wheel *wheel = orr__wheel_new();
    uint64_t keys[SOME];
    for (int i = 0; i < SOME; i++) {
      keys[i] = next_random(&seed) << 20 ^ (uint64_t)i;
      assert_int_equal(orr__wheel_set(wheel, keys[i], i), 0);
    }
    for (int left = SOME; left > 0; left--) {
      int taken = (int)(next_random(&seed) % (uint64_t)left);
      assert_true(orr__wheel_remove(wheel, keys[taken]));
      assert_false(orr__wheel_remove(wheel, keys[taken]));
      keys[taken] = keys[left - 1];
      for (int i = 0; i < left - 1; i++) assert_true(orr__wheel_get(wheel, keys[i], NULL));
    }
    assert_int_equal(orr__wheel_len(wheel), 0);
    assert_true(orr__wheel_next_ms(wheel) == INT64_MAX);
    orr__wheel_free(wheel);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_wheel__agrees_with_a_sorted_array),
      cmocka_unit_test(test_wheel__agrees_when_the_clock_goes_back),
      cmocka_unit_test(test_wheel__the_ends_of_time_are_ordinary),
      cmocka_unit_test(test_wheel__next_comes_near_in_few_calls),
      cmocka_unit_test(test_wheel__moving_never_asks_for_memory),
      cmocka_unit_test(test_wheel__removing_in_any_order_loses_nobody),
      cmocka_unit_test(test_wheel__a_million_entries_stay_small),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
