/* Wakers and watches: how other threads and descriptors reach the loop, over libuv's async and poll handles.
 *
 * Deliberately ignorant of what is read or why somebody is woken.
 *
 * Invariants: after orr__waker_free or orr__watch_free no callback of theirs runs; the memory goes when
 * libuv has let go of the handle, one turn later. */
#include <stdlib.h>
#include <uv.h>

#include "port/loop.h"

struct orr__waker {
  uv_async_t async; /* first: a handle is its waker */
  orr__loop *loop;
  void (*woken)(void *arg);
  void *arg;
};

struct orr__watch {
  uv_poll_t poll; /* first: a handle is its watch */
  orr__loop *loop;
  void (*readable)(void *arg);
  void *arg;
};

static void free_handle(uv_handle_t *handle) {
  free(handle);
}

static void waker_called(uv_async_t *async) {
  orr__waker *waker = (orr__waker *)async;
  orr__loop_note(waker->loop);
  waker->woken(waker->arg);
}

int orr__waker_new(orr__loop *loop, void (*woken)(void *arg), void *arg, orr__waker **ret_waker) {
  orr__waker *waker = calloc(1, sizeof *waker);
  if (waker == NULL) return ORR_E_NOMEM;
  waker->loop = loop;
  waker->woken = woken;
  waker->arg = arg;
  if (uv_async_init(orr__loop_uv(loop), &waker->async, waker_called) < 0) {
    free(waker);
    return ORR_E_IO;
  }
  *ret_waker = waker;
  return 0;
}

void orr__waker_free(orr__waker *waker) {
  if (waker == NULL) return;
  uv_close((uv_handle_t *)&waker->async, free_handle);
}

void orr__loop_wake(orr__waker *waker) {
  uv_async_send(&waker->async);
}

static void watch_called(uv_poll_t *poll, int status, int events) {
  (void)events;
  orr__watch *watch = (orr__watch *)poll;
  /* On an error libuv stops the handle; the reader learns of it by reading, and if it does not, it is
   * called again like for everything else that was left unread. */
  if (status < 0) uv_poll_start(poll, UV_READABLE, watch_called);
  orr__loop_note(watch->loop);
  watch->readable(watch->arg);
}

int orr__watch_new(orr__loop *loop, int fd, void (*readable)(void *arg), void *arg, orr__watch **ret_watch) {
  orr__watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL) return ORR_E_NOMEM;
  watch->loop = loop;
  watch->readable = readable;
  watch->arg = arg;
  if (uv_poll_init(orr__loop_uv(loop), &watch->poll, fd) < 0) {
    free(watch);
    return ORR_E_IO;
  }
  if (uv_poll_start(&watch->poll, UV_READABLE, watch_called) < 0) {
    uv_close((uv_handle_t *)&watch->poll, free_handle);
    return ORR_E_IO;
  }
  *ret_watch = watch;
  return 0;
}

void orr__watch_free(orr__watch *watch) {
  if (watch == NULL) return;
  uv_close((uv_handle_t *)&watch->poll, free_handle);
}
