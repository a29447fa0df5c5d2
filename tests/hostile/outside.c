/* What hostile providers meet outside: a server that answers badly, a canary that nobody may reach, and how long the machine itself made
 * somebody wait. usage: orrery-hostile-outside FOLDER, until it is terminated.
 *
 * Writes its ports into FOLDER/ports ("SERVER CANARY"), a line for each connection to the canary into FOLDER/reached, and into FOLDER/stall and
 * FOLDER/disk the longest time in ms that it was late itself, and that the disk took for a page to be there. Knows nothing of Orrery. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PEERS_MAX = 500, TICK_MS = 20, TRICKLE_TICKS = 5, CHUNK = 65536, BOMB_PAIRS = 400000, BOMB_SIZE = BOMB_PAIRS * 13 / 8 + 64 };

enum kind { ASKING, ENDLESS, TRICKLE, HEADERS, DEEP, BOMB, DONE };

typedef struct peer {
  int fd;
  enum kind kind;
  char head[2048];
  size_t len;
  long sent;
} peer;

static peer peers[PEERS_MAX];
static size_t peer_count;
static int canary_port;

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int listen_on_loopback(int *ret_port) {
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 200) || getsockname(fd, (struct sockaddr *)&address, &size)) {
    perror("outside");
    exit(1);
  }
  *ret_port = ntohs(address.sin_port);
  return fd;
}

static void write_file(const char *name, const char *text, bool is_added) {
  FILE *file = fopen(name, is_added ? "ae" : "we");
  if (!file) return;
  fputs(text, file);
  fclose(file);
}

/* False: the peer takes no more. */
static bool put(peer *p, const char *bytes, size_t len) {
  ssize_t count = send(p->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (count > 0) p->sent += count;
  return count == (ssize_t)len;
}

/* 100 MB of NUL bytes in 650 KB: one literal, and then "258 bytes from one before" again and again. */
static unsigned char bomb[BOMB_SIZE];
static size_t bomb_bits = 80;

static void add_bits(unsigned value, int count) {
  for (int i = count - 1; i >= 0; i--, bomb_bits++)
    if (value >> i & 1) bomb[bomb_bits / 8] |= (unsigned char)(1u << bomb_bits % 8);
}

static void make_bomb(void) {
  static const unsigned char head[10] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3 };
  memcpy(bomb, head, sizeof head);
  add_bits(2, 3);     /* not the last block; fixed codes */
  add_bits(0x30, 8);  /* the byte 0 */
  for (int i = 0; i < BOMB_PAIRS; i++) {
    add_bits(0xc5, 8); /* 258 bytes */
    add_bits(0, 5);    /* from one before */
  }
}

static void answer(peer *p) {
  char text[512];
  char *path = strchr(p->head, ' '), *end = path ? strchr(path + 1, ' ') : NULL;
  p->kind = DONE;
  if (!end) return;
  *end = '\0';
  path++;
  if (strcmp(path, "/small") == 0) {
    static const char small[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    put(p, small, sizeof small - 1);
    p->kind = ASKING;
    p->len = 0;
  } else if (strcmp(path, "/redirect") == 0) {
    snprintf(text, sizeof text, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n", canary_port);
    put(p, text, strlen(text));
  } else {
    static const char ok[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
    put(p, ok, sizeof ok - 1);
    if (strcmp(path, "/bomb") == 0) {
      put(p, "Content-Encoding: gzip\r\n\r\n", 26);
      p->kind = BOMB;
      p->sent = 0;
      return;
    }
    p->kind = strcmp(path, "/endless") == 0 ? ENDLESS : strcmp(path, "/trickle") == 0 ? TRICKLE : strcmp(path, "/headers") == 0 ? HEADERS : DEEP;
    if (p->kind != HEADERS) put(p, "\r\n", 2);
  }
}

static void read_request(peer *p) {
  ssize_t count = recv(p->fd, p->head + p->len, sizeof p->head - 1 - p->len, MSG_DONTWAIT);
  if (count <= 0) {
    p->kind = DONE;
    return;
  }
  p->len += (size_t)count;
  p->head[p->len] = '\0';
  if (strstr(p->head, "\r\n\r\n")) answer(p);
  else if (p->len == sizeof p->head - 1) p->kind = DONE;
}

static void go_on(peer *p, long tick) {
  static char bytes[CHUNK];
  char line[64];
  switch (p->kind) {
  case ENDLESS:
    while (put(p, bytes, sizeof bytes)) {}
    break;
  case TRICKLE:
    if (tick % TRICKLE_TICKS == 0) put(p, " ", 1);
    break;
  case HEADERS:
    for (int i = 0; i < 100; i++) {
      snprintf(line, sizeof line, "X-Header-%ld: %ld\r\n", p->sent, p->sent);
      if (!put(p, line, strlen(line))) break;
    }
    break;
  case BOMB:
    while ((size_t)p->sent < sizeof bomb && put(p, (const char *)bomb + p->sent, sizeof bomb - (size_t)p->sent)) {}
    break;
  case DEEP:
    memset(bytes, '[', sizeof bytes);
    put(p, bytes, sizeof bytes);
    memset(bytes, 0, sizeof bytes);
    if (p->sent > 500000) p->kind = DONE;
    break;
  default: break;
  }
}

static void take(int fd, bool is_canary) {
  int peer_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (peer_fd < 0) return;
  if (is_canary) write_file("reached", "a connection\n", true);
  if (is_canary || peer_count == PEERS_MAX) close(peer_fd);
  else peers[peer_count++] = (peer){ .fd = peer_fd, .kind = ASKING };
}

static void drop_done(void) {
  for (size_t i = 0; i < peer_count;) {
    if (peers[i].kind != DONE) {
      i++;
      continue;
    }
    close(peers[i].fd);
    peers[i] = peers[--peer_count];
  }
}

static void note_longest(const char *name, int64_t ms, int64_t *longest) {
  char text[32];
  if (ms <= *longest) return;
  *longest = ms;
  snprintf(text, sizeof text, "%lld\n", (long long)ms);
  write_file(name, text, false);
}

/* Others sync, too, and whoever commits waits for them. */
static void *time_disk(void *unused) {
  static const char page[4096];
  int64_t longest = 0;
  int fd = open("page", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  while (fd >= 0) {
    int64_t before = now_ms();
    if (pwrite(fd, page, sizeof page, 0) != sizeof page || fdatasync(fd)) break;
    note_longest("disk", now_ms() - before, &longest);
    poll(NULL, 0, TICK_MS);
  }
  return unused;
}

int main(int argc, char **argv) {
  static struct pollfd fds[PEERS_MAX + 2];
  char text[64];
  int server_port, server, canary;
  if (argc != 2 || chdir(argv[1])) return 2;
  make_bomb();
  server = listen_on_loopback(&server_port);
  canary = listen_on_loopback(&canary_port);
  snprintf(text, sizeof text, "%d %d\n", server_port, canary_port);
  write_file("ports.new", text, false);
  if (rename("ports.new", "ports")) return 1;
  int64_t longest = 0;
  pthread_t disk;
  if (pthread_create(&disk, NULL, time_disk, NULL)) return 1;
  for (long tick = 0;; tick++) {
    fds[0] = (struct pollfd){ server, POLLIN, 0 };
    fds[1] = (struct pollfd){ canary, POLLIN, 0 };
    for (size_t i = 0; i < peer_count; i++) fds[i + 2] = (struct pollfd){ peers[i].fd, POLLIN | (peers[i].kind == ENDLESS ? POLLOUT : 0), 0 };
    size_t count = peer_count;
    int64_t before = now_ms();
    poll(fds, count + 2, TICK_MS);
    note_longest("stall", now_ms() - before - TICK_MS, &longest);
    for (size_t i = 0; i < count; i++) {
      if (peers[i].kind == ASKING && fds[i + 2].revents) read_request(&peers[i]);
      else if (fds[i + 2].revents & (POLLERR | POLLHUP)) peers[i].kind = DONE;
      else go_on(&peers[i], tick);
    }
    drop_done();
    if (fds[0].revents) take(server, false);
    if (fds[1].revents) take(canary, true);
  }
}
