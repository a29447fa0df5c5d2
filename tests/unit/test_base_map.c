/* base/map.h against a plain array as the model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"

enum { KEYS = 500 };

static uint32_t next_random(uint32_t *seed) {
  *seed = *seed * 1664525u + 1013904223u;
  return *seed >> 8;
}

static void test_map__agrees_with_a_plain_array(void **state) {
  (void)state;
  orr__map map;
  orr__map_init(&map);
  int store[16];
  void *model[KEYS] = {0};
  size_t live = 0;
  uint32_t seed = 7;
  for (int step = 0; step < 100000; step++) {
    uint64_t key = next_random(&seed) % KEYS;
    if (next_random(&seed) % 2) {
      void *value = &store[next_random(&seed) % 16];
      live += !model[key];
      model[key] = value;
      assert_int_equal(orr__map_put(&map, key, value), 0);
    } else {
      live -= model[key] != NULL;
      assert_ptr_equal(orr__map_remove(&map, key), model[key]);
      model[key] = NULL;
    }
    assert_int_equal(map.len, live);
    assert_ptr_equal(orr__map_get(&map, key), model[key]);
  }
  for (uint64_t key = 0; key < KEYS; key++) assert_ptr_equal(orr__map_get(&map, key), model[key]);
  assert_true(map.cap <= 4096);
  orr__map_clear(&map);
}

static void test_map__walk_sees_each_entry_once_and_may_remove(void **state) {
  (void)state;
  orr__map map;
  orr__map_init(&map);
  int seen[KEYS] = {0};
  for (uint64_t key = 0; key < KEYS; key++) assert_int_equal(orr__map_put(&map, key, &seen[key]), 0);
  size_t pos = 0;
  uint64_t key;
  void *value;
  while (orr__map_next(&map, &pos, &key, &value)) {
    assert_ptr_equal(value, &seen[key]);
    seen[key]++;
    if (key % 2) orr__map_remove(&map, key);
  }
  for (int i = 0; i < KEYS; i++) assert_int_equal(seen[i], 1);
  assert_int_equal(map.len, KEYS / 2);
  assert_null(orr__map_get(&map, 1));
  assert_ptr_equal(orr__map_get(&map, 2), &seen[2]);
  orr__map_clear(&map);
}

static void test_map__zero_all_ones_and_null_values_are_ordinary(void **state) {
  (void)state;
  orr__map map;
  orr__map_init(&map);
  int x;
  assert_null(orr__map_get(&map, 0));
  assert_null(orr__map_remove(&map, 0));
  orr__map_put(&map, 0, &x);
  orr__map_put(&map, UINT64_MAX, NULL);
  assert_ptr_equal(orr__map_get(&map, 0), &x);
  assert_null(orr__map_get(&map, UINT64_MAX));
  assert_int_equal(map.len, 2);
  size_t pos = 0, count = 0;
  while (orr__map_next(&map, &pos, NULL, NULL)) count++;
  assert_int_equal(count, 2);
  orr__map_clear(&map);
  assert_int_equal(map.len, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_map__agrees_with_a_plain_array),
      cmocka_unit_test(test_map__walk_sees_each_entry_once_and_may_remove),
      cmocka_unit_test(test_map__zero_all_ones_and_null_values_are_ordinary),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
