/* A host without a loop: the runtime turns its wheels in a thread of its own, and this one waits for events. */
#include "job.h"

#include <poll.h>

int main(void) {
  job j;
  orr_error *err = orr_error_new();
  job_begin(&j);
  if (j.status < 0 && orr_start(j.runtime, err)) {
    fprintf(stderr, "%s\n", orr_error_message(err));
    j.status = 1;
  }
  while (j.status < 0) {
    struct pollfd events = { .fd = orr_event_fd(j.runtime), .events = POLLIN };
    if (poll(&events, 1, -1) == 1) job_pull(&j);
  }
  orr_close(j.runtime); /* ends the thread, too */
  orr_error_free(err);
  return j.status;
}
