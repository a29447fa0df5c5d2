/* One descriptor for a host's own loop: an epoll set with libuv's descriptor, a timerfd for our timers, and an eventfd for what is to be
 * done although no descriptor says so (an event waits, something was deferred, libuv has watchers that the kernel does not know yet).
 *
 * Level-triggered and true whenever nobody is inside: whoever leaves sets it right. So a host that polls it, and steps when it is readable,
 * misses nothing and wakes up for nothing. Both descriptors cost nothing before they are asked for. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "host/lib/lib.h"

void orr__fds_init(orr__fds *fds) { *fds = (orr__fds){ .set = -1, .timer = -1, .ready = -1, .news = -1, .armed_ms = -1 }; }

static void say(int fd, bool *said, bool is_so) {
  uint64_t count = 1;
  if (*said == is_so) return;
  *said = is_so;
  ssize_t n = is_so ? write(fd, &count, sizeof count) : read(fd, &count, sizeof count);
  (void)n; /* an eventfd that holds 0 or 1 neither blocks nor fails */
}

static void arm(orr_runtime *rt, int64_t wait_ms) {
  int64_t due_ms = wait_ms < 0 ? -1 : orr__loop_mono_ms(rt->loop) + wait_ms;
  if (due_ms == rt->fds.armed_ms) return;
  struct itimerspec when = { .it_value = { wait_ms / 1000, wait_ms % 1000 * 1000000 } };
  if (wait_ms < 0) when = (struct itimerspec){ 0 };
  if (timerfd_settime(rt->fds.timer, 0, &when, NULL) == 0) rt->fds.armed_ms = due_ms;
}

void orr__fds_settle(orr_runtime *rt) {
  orr__fds *fds = &rt->fds;
  if (fds->news >= 0) say(fds->news, &fds->has_news, rt->first != NULL);
  if (fds->set < 0) return;
  orr__loop_update(rt->loop);
  int64_t wait_ms = rt->first ? 0 : orr__loop_due_ms(rt->loop);
  say(fds->ready, &fds->is_ready, wait_ms == 0);
  /* What is due now keeps the eventfd readable; a timerfd that has rung is quiet again once it is set anew. */
  arm(rt, wait_ms == 0 ? -1 : wait_ms);
}

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

void orr__fds_close(orr_runtime *rt) {
  close_fd(&rt->fds.set);
  close_fd(&rt->fds.timer);
  close_fd(&rt->fds.ready);
  close_fd(&rt->fds.news);
}

static bool add(int set, int fd) {
  struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
  return fd >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0;
}

static int open_set(orr_runtime *rt) {
  orr__fds *fds = &rt->fds;
  if (fds->set >= 0) return fds->set;
  fds->set = epoll_create1(EPOLL_CLOEXEC);
  fds->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  fds->ready = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  fds->is_ready = false;
  fds->armed_ms = -1;
  if (fds->set >= 0 && add(fds->set, fds->timer) && add(fds->set, fds->ready) && add(fds->set, orr__loop_fd(rt->loop))) return fds->set;
  close_fd(&fds->set);
  close_fd(&fds->timer);
  close_fd(&fds->ready);
  return ORR_E_IO;
}

int orr_fd(const orr_runtime *runtime) {
  int fd = orr__enter(runtime, NULL);
  if (fd) return fd;
  fd = open_set((orr_runtime *)runtime);
  orr__leave(runtime);
  return fd;
}

int orr_event_fd(orr_runtime *runtime) {
  int fd = orr__enter(runtime, NULL);
  if (fd) return fd;
  if (runtime->fds.news < 0) runtime->fds.news = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  fd = runtime->fds.news < 0 ? ORR_E_IO : runtime->fds.news;
  orr__leave(runtime);
  return fd;
}
