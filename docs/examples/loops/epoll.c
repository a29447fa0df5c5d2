/* A host with an epoll loop of its own: one descriptor, no time limits to ask for. */
#include "job.h"

#include <sys/epoll.h>
#include <unistd.h>

int main(void) {
  job j;
  job_begin(&j);
  int poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event wanted = { .events = EPOLLIN };
  if (j.status < 0 && epoll_ctl(poller, EPOLL_CTL_ADD, orr_fd(j.runtime), &wanted)) j.status = 1;
  while (j.status < 0) {
    struct epoll_event ready;
    if (epoll_wait(poller, &ready, 1, -1) != 1) continue; /* your other descriptors are waited for here, too */
    orr_step(j.runtime, 0);
    job_pull(&j);
  }
  close(poller); /* before orr_close, which closes what it watches */
  orr_close(j.runtime);
  return j.status;
}
