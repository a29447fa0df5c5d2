/* The loop of whoever holds a data directory; see holder.h. */
#include "host/holder.h"

#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/server.h"
#include "host/socket.h"

enum { TURN_MAX_MS = 60 * 1000, DRAIN_TURN_MS = 100 };

struct orr__holder {
  orr_runtime *runtime;
  orr__dispatcher *dispatcher;
  orr__server *server;
  const char *data_dir;
};

/* What root makes in somebody's directory its owner cannot open: the database would be lost to the service whose it is. */
static int refuse_foreign(const char *data_dir, orr_error *reterr) {
  struct stat st;
  if (geteuid() != 0 || stat(data_dir, &st) != 0 || st.st_uid == 0) return 0;
  int fd = -1;
  if (orr__socket_connect(data_dir, &fd, NULL) == 0) { /* it is held: then root is a client, which harms nobody */
    close(fd);
    return 0;
  }
  const struct passwd *owner = getpwuid(st.st_uid);
  return orr__error_set(reterr, ORR_E_REFUSED, "data directory %s belongs to %s and nobody serves it: start its service, or use sudo -u %s orrery",
                        data_dir, owner ? owner->pw_name : "another user", owner ? owner->pw_name : "OWNER");
}

int orr__holder_open(const orr_settings *settings, const char *data_dir, bool may_hand_over, void (*log)(void *arg, const char *json), void *log_arg,
                     orr__holder **ret_holder, orr_error *reterr) {
  int listen_fd = -1;
  orr__holder *holder = calloc(1, sizeof *holder);
  if (!holder) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory while opening %s", data_dir);
  holder->data_dir = data_dir;
  int rc = refuse_foreign(data_dir, reterr);
  if (rc == 0) rc = orr_open(settings, &holder->runtime, reterr);
  if (rc != 0) goto done;
  rc = orr__socket_listen(data_dir, &listen_fd, reterr);
  if (rc != 0) goto done;
  holder->dispatcher = orr__dispatcher_new(holder->runtime, may_hand_over, log, log_arg);
  if (holder->dispatcher) holder->server = orr__server_new(holder->dispatcher, listen_fd);
  if (!holder->server) rc = orr__error_set(reterr, ORR_E_NOMEM, "out of memory while opening %s", data_dir);
done:
  if (rc == 0) *ret_holder = holder;
  else orr__holder_close(holder, 0, -1);
  return rc;
}

orr__dispatcher *orr__holder_dispatcher(orr__holder *holder) {
  return holder->dispatcher;
}

static int earlier(int64_t a, int64_t b) {
  int64_t wait = a < 0 ? b : b < 0 ? a : a < b ? a : b;
  return wait < 0 || wait > TURN_MAX_MS ? TURN_MAX_MS : (int)wait;
}

void orr__holder_turn(orr__holder *holder, int64_t max_wait_ms, int also_fd) {
  struct pollfd fds[ORR_SERVER_FDS_MAX + 2];
  fds[0] = (struct pollfd){orr_fd(holder->runtime), POLLIN, 0};
  fds[1] = (struct pollfd){also_fd, POLLIN, 0}; /* poll skips a negative one */
  size_t count = orr__server_fds(holder->server, fds + 2);
  int ready = poll(fds, (nfds_t)(count + 2), earlier(max_wait_ms, orr_timeout_ms(holder->runtime)));
  if (ready > 0) orr__server_turn(holder->server, fds + 2, count);
  orr_step(holder->runtime, 0);
  orr__dispatcher_pump(holder->dispatcher);
  orr__server_reap(holder->server);
}

int orr__holder_is_idle(const orr__holder *holder) {
  return orr_is_idle(holder->runtime) && !orr__server_is_sending(holder->server);
}

void orr__holder_drain(orr__holder *holder) {
  orr_drain(holder->runtime);
}

int orr__holder_is_acting(const orr__holder *holder) {
  return orr_is_acting(holder->runtime);
}

int orr__holder_failed(const orr__holder *holder) {
  return orr_failed(holder->runtime);
}

void orr__holder_close(orr__holder *holder, int64_t max_wait_ms, int stop_fd) {
  if (!holder) return;
  if (holder->server) {
    orr_drain(holder->runtime);
    int64_t end = orr__mono_ms() + max_wait_ms;
    struct pollfd stop = {stop_fd, POLLIN, 0};
    int64_t left;
    while (!orr__holder_is_idle(holder) && (left = end - orr__mono_ms()) > 0 && poll(&stop, 1, 0) <= 0)
      orr__holder_turn(holder, left < DRAIN_TURN_MS ? left : DRAIN_TURN_MS, stop_fd);
    orr__dispatcher_pump(holder->dispatcher);
    orr__socket_remove(holder->data_dir);
  }
  orr__server_free(holder->server);
  orr__dispatcher_free(holder->dispatcher);
  orr_close(holder->runtime);
  free(holder);
}
