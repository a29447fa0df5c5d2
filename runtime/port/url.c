/* URLs taken apart by libcurl's own parser, so that what is compared with a grant is what is connected to.
 *
 * Stricter than libcurl where its leniency could make two readers disagree: the scheme is written out with
 * exactly two slashes, and no control character, blank or backslash is anywhere.
 *
 * Knows nothing of requests. */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "port/http.h"

#define URL_MAX 65536
#define PLAIN_MAX 1000 /* of a path that is not given to libcurl */

static void lower_ascii(char *text) {
  for (; *text != '\0'; text++) {
    if (*text >= 'A' && *text <= 'Z') *text = (char)(*text - 'A' + 'a');
  }
}

/* Why the text cannot be a URL of ours, or NULL. Never quotes it: there may be a password in it. */
static const char *text_fault(const char *text) {
  if (text == NULL || *text == '\0') return "URL is empty";
  if (strnlen(text, URL_MAX + 1) > URL_MAX) return "URL is longer than 64 KiB";
  for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
    if (*c <= ' ' || *c == 0x7f) return "URL has a blank or a control character in it";
  }
  size_t scheme = strncasecmp(text, "http://", 7) == 0 ? 7 : strncasecmp(text, "https://", 8) == 0 ? 8 : 0;
  if (scheme == 0) return "URL does not start with http:// or https://";
  size_t authority = strcspn(text + scheme, "/?#");
  if (authority == 0) return "URL has no host";
  if (memchr(text + scheme, '\\', authority) != NULL) return "URL has a backslash before its path";
  return NULL;
}

/* An owned copy of one part; NULL where it is absent. */
static int get_part(CURLU *handle, CURLUPart what, unsigned flags, char **ret_part) {
  char *part = NULL;
  switch (curl_url_get(handle, what, &part, flags)) {
  case CURLUE_OK:
    break;
  case CURLUE_OUT_OF_MEMORY:
    return ORR_E_NOMEM;
  default:
    return 0;
  }
  /* The owner releases it with free(), which need not be libcurl's. */
  *ret_part = orr__strdup(part);
  curl_free(part);
  return *ret_part == NULL ? ORR_E_NOMEM : 0;
}

/* libcurl writes an IPv6 address in brackets and keeps its zone apart. */
static int get_host(CURLU *handle, orr__url *url, orr_error *reterr) {
  int rc = get_part(handle, CURLUPART_HOST, 0, &url->host);
  if (rc < 0) return rc;
  if (url->host == NULL || *url->host == '\0') return orr__error_set(reterr, ORR_E_INVALID, "URL has no host");
  lower_ascii(url->host);
  char *zone = NULL;
  rc = get_part(handle, CURLUPART_ZONEID, 0, &zone);
  if (rc < 0) return rc;
  if (zone != NULL) {
    free(zone);
    return orr__error_set(reterr, ORR_E_INVALID, "URL has an IPv6 zone, which is not supported");
  }
  url->origin = orr__strf("%s://%s:%d", url->scheme, url->host, url->port);
  if (url->origin == NULL) return ORR_E_NOMEM;
  size_t len = strlen(url->host);
  if (url->host[0] == '[' && url->host[len - 1] == ']') {
    memmove(url->host, url->host + 1, len - 2);
    url->host[len - 2] = '\0';
  }
  return 0;
}

static int get_parts(CURLU *handle, orr__url *url, orr_error *reterr) {
  int rc;
  char *port = NULL;
  if ((rc = get_part(handle, CURLUPART_SCHEME, 0, &url->scheme)) < 0) return rc;
  if ((rc = get_part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT, &port)) < 0) return rc;
  url->port = port != NULL ? atoi(port) : 0;
  free(port);
  if (url->scheme == NULL || url->port <= 0) return orr__error_set(reterr, ORR_E_INVALID, "URL has no usable port");
  lower_ascii(url->scheme);
  if ((rc = get_host(handle, url, reterr)) < 0) return rc;
  if ((rc = get_part(handle, CURLUPART_USER, 0, &url->user)) < 0) return rc;
  if ((rc = get_part(handle, CURLUPART_PASSWORD, 0, &url->password)) < 0) return rc;
  if ((rc = get_part(handle, CURLUPART_PATH, 0, &url->path)) < 0) return rc;
  if ((rc = get_part(handle, CURLUPART_QUERY, 0, &url->query)) < 0) return rc;
  return get_part(handle, CURLUPART_FRAGMENT, 0, &url->fragment);
}

int orr__url_parse(const char *text, orr__url *ret_url, orr_error *reterr) {
  const char *fault = text_fault(text);
  if (fault != NULL) return orr__error_set(reterr, ORR_E_INVALID, "%s", fault);
  orr__url url = { 0 };
  CURLU *handle = curl_url();
  int rc = ORR_E_NOMEM;
  if (handle == NULL) goto done;
  CURLUcode code = curl_url_set(handle, CURLUPART_URL, text, 0);
  if (code != CURLUE_OK && code != CURLUE_OUT_OF_MEMORY) {
    rc = orr__error_set(reterr, ORR_E_INVALID, "URL: %s", curl_url_strerror(code));
    goto done;
  }
  if (code == CURLUE_OK) rc = get_parts(handle, &url, reterr);
done:
  if (rc == ORR_E_NOMEM) orr__error_set(reterr, rc, "URL: out of memory");
  if (rc == 0) {
    *ret_url = url;
  } else {
    orr__url_clear(&url);
  }
  curl_url_cleanup(handle);
  return rc;
}

/* Those of RFC 3986's unreserved characters and delimiters that every reader takes for themselves, in a path and in a query. */
static bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' && strchr("-_~/=&+,:;@", c) != NULL);
}

size_t orr__url_plain_path(const char *text) {
  const char *authority = strstr(text, "://");
  const char *path = authority != NULL ? authority + 3 + strcspn(authority + 3, "/?#") : NULL;
  if (path == NULL || *path != '/') return 0;
  const char *query = strchr(path, '?'), *at = path;
  for (; *at != '\0' && at - path < PLAIN_MAX; at++) {
    bool is_dot = *at == '.' && at[-1] != '/';
    if (!is_plain(*at) && !is_dot && at != query) return 0;
  }
  return *at == '\0' ? (size_t)(path - text) : 0;
}

int orr__url_join(const orr__url *origin, const char *path, orr__url *ret_url, orr_error *reterr) {
  const char *query = strchr(path, '?');
  orr__url url = { .scheme = orr__strdup(origin->scheme), .host = orr__strdup(origin->host), .origin = orr__strdup(origin->origin),
                   .path = orr__strndup(path, strcspn(path, "?")), .query = orr__strdup(query != NULL ? query + 1 : NULL), .port = origin->port };
  if (url.scheme == NULL || url.host == NULL || url.origin == NULL || url.path == NULL || (query != NULL && url.query == NULL)) {
    orr__url_clear(&url);
    return orr__error_set(reterr, ORR_E_NOMEM, "URL: out of memory");
  }
  *ret_url = url;
  return 0;
}

void orr__url_clear(orr__url *url) {
  if (url == NULL) return;
  /* Passwords are not left behind in released memory. */
  if (url->password != NULL) explicit_bzero(url->password, strlen(url->password));
  free(url->scheme);
  free(url->user);
  free(url->password);
  free(url->host);
  free(url->path);
  free(url->query);
  free(url->fragment);
  free(url->origin);
  *url = (orr__url){ 0 };
}
