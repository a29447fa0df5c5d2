/* A host whose loop is GLib's, as every GTK program's is: the descriptor as a source. */
#include "job.h"

#include <glib-unix.h>

typedef struct host {
  job j;
  GMainLoop *loop;
} host;

static gboolean readable(gint fd, GIOCondition condition, gpointer arg) {
  host *h = arg;
  (void)fd, (void)condition;
  orr_step(h->j.runtime, 0);
  job_pull(&h->j);
  if (h->j.status < 0) return G_SOURCE_CONTINUE;
  g_main_loop_quit(h->loop);
  return G_SOURCE_REMOVE;
}

int main(void) {
  host h = { .loop = g_main_loop_new(NULL, FALSE) };
  job_begin(&h.j);
  if (h.j.status < 0) {
    g_unix_fd_add(orr_fd(h.j.runtime), G_IO_IN, readable, &h);
    g_main_loop_run(h.loop);
  }
  g_main_loop_unref(h.loop);
  orr_close(h.j.runtime);
  return h.j.status;
}
