/* A host whose loop is libuv's: the descriptor as a uv_poll_t. That the runtime has a libuv loop inside does not matter to it. */
#include "job.h"

#include <uv.h>

static void readable(uv_poll_t *poll, int status, int events) {
  job *j = poll->data;
  (void)status, (void)events;
  orr_step(j->runtime, 0);
  job_pull(j);
  if (j->status >= 0) uv_close((uv_handle_t *)poll, NULL); /* nothing else is watched here: uv_run returns */
}

int main(void) {
  job j;
  uv_poll_t poll = { .data = &j };
  job_begin(&j);
  if (j.status < 0 && (uv_poll_init(uv_default_loop(), &poll, orr_fd(j.runtime)) || uv_poll_start(&poll, UV_READABLE, readable))) j.status = 1;
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  uv_loop_close(uv_default_loop());
  orr_close(j.runtime);
  return j.status;
}
