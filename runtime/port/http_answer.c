/* The outcome of an attempt in our words: libcurl's result as a code and one line, the answer as a reply.
 *
 * Messages name host and port and, of libcurl's texts, take only those that cannot hold a URL: a proxy or
 * a location may carry a password.
 *
 * Deliberately ignorant of what happens next: whether to try again is decided in http.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port/http_private.h"

void orr__answer_fail(orr__exchange *exchange, int code, const char *reason) {
  exchange->code = code;
  snprintf(exchange->message, sizeof exchange->message, "%s: %s", exchange->ask.peer, reason);
  for (char *c = exchange->message; *c != '\0'; c++) {
    if ((unsigned char)*c < ' ' || *c == 0x7f) *c = ' ';
  }
}

static void fail_pin(orr__exchange *exchange) {
  static const orr__pin none;
  char reason[3 * ORR_HTTP_PIN + 80];
  size_t len = (size_t)snprintf(reason, sizeof reason, "the certificate is not the pinned one, its SHA-256 is ");
  if (memcmp(&exchange->seen, &none, sizeof none) == 0) {
    snprintf(reason, sizeof reason, "there is no certificate to compare with the pinned one");
  } else {
    for (int i = 0; i < ORR_HTTP_PIN; i++) {
      len += (size_t)snprintf(reason + len, sizeof reason - len, i > 0 ? ":%02X" : "%02X", exchange->seen.digest[i]);
    }
  }
  orr__answer_fail(exchange, ORR_E_TLS, reason);
}

static void fail_fault(orr__exchange *exchange) {
  char reason[96];
  switch (exchange->fault) {
  case ORR_FAULT_PIN:
    fail_pin(exchange);
    break;
  case ORR_FAULT_RESEND:
    orr__answer_fail(exchange, ORR_E_UNREACHABLE, "the connection was closed without an answer");
    break;
  case ORR_FAULT_BODY:
    snprintf(reason, sizeof reason, "the answer is larger than %zu bytes", exchange->ask.max_body);
    orr__answer_fail(exchange, ORR_E_LIMIT, reason);
    break;
  case ORR_FAULT_PURSE:
    orr__answer_fail(exchange, ORR_E_LIMIT, "the answers under way hold as much memory as they may together");
    break;
  case ORR_FAULT_HEADERS:
    snprintf(reason, sizeof reason, "the answer has more than %d header lines or %d bytes of them", ORR_HTTP_HEADERS,
             ORR_HTTP_HEADER_BYTES);
    orr__answer_fail(exchange, ORR_E_LIMIT, reason);
    break;
  case ORR_FAULT_NOMEM:
  case ORR_FAULT_NONE:
    orr__answer_fail(exchange, ORR_E_NOMEM, "out of memory");
    break;
  }
}

/* A server that goes away in the middle of the handshake proves nothing about who it is. */
static bool is_handshake_cut(const orr__exchange *exchange) {
  return strncmp(exchange->curl_message, "OpenSSL SSL_connect:", strlen("OpenSSL SSL_connect:")) == 0 ||
         strstr(exchange->curl_message, "unexpected eof") != NULL;
}

static void fail_connection(orr__exchange *exchange, CURLcode result) {
  char reason[256];
  long errnum = 0, status = 0;
  curl_easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &errnum);
  curl_easy_getinfo(exchange->easy, CURLINFO_HTTP_CONNECTCODE, &status);
  if (status >= 300) {
    snprintf(reason, sizeof reason, "the proxy answered %ld", status);
  } else if (result == CURLE_COULDNT_CONNECT && errnum != 0) {
    char text[128];
    snprintf(reason, sizeof reason, "%s", strerror_r((int)errnum, text, sizeof text));
  } else if (result == CURLE_GOT_NOTHING || result == CURLE_RECV_ERROR || result == CURLE_SEND_ERROR) {
    snprintf(reason, sizeof reason, "the connection was closed without an answer");
  } else if (result == CURLE_PARTIAL_FILE) {
    snprintf(reason, sizeof reason, "the connection was closed in the middle of the answer");
  } else {
    snprintf(reason, sizeof reason, "%s", curl_easy_strerror(result));
  }
  orr__answer_fail(exchange, ORR_E_UNREACHABLE, reason);
}

static void fail_tls(orr__exchange *exchange, CURLcode result) {
  const char *text = exchange->curl_message;
  orr__answer_fail(exchange, ORR_E_TLS, *text != '\0' ? text : curl_easy_strerror(result));
}

static void fail_timeout(orr__exchange *exchange) {
  char reason[96];
  snprintf(reason, sizeof reason, "%s within %.10g s", exchange->is_attempt_sent ? "no complete answer" : "no connection",
           (double)exchange->ask.timeout_ms / 1000);
  orr__answer_fail(exchange, ORR_E_TIMEOUT, reason);
}

/* libcurl takes "HTTP/1.1 2" for an answer. */
static void judge_status(orr__exchange *exchange) {
  long status = 0;
  curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
  if (status < 100 || status > 999) orr__answer_fail(exchange, ORR_E_UNREACHABLE, "the answer has no HTTP status");
}

void orr__answer_judge(orr__exchange *exchange, CURLcode result, bool *ret_is_connection) {
  *ret_is_connection = false;
  exchange->code = 0;
  exchange->message[0] = '\0';
  if (exchange->fault != ORR_FAULT_NONE) {
    fail_fault(exchange);
    return;
  }
  switch (result) {
  case CURLE_OK:
    judge_status(exchange);
    return;
  case CURLE_OPERATION_TIMEDOUT:
    fail_timeout(exchange);
    return;
  case CURLE_OUT_OF_MEMORY:
    orr__answer_fail(exchange, ORR_E_NOMEM, "out of memory");
    return;
  case CURLE_SSL_CACERT_BADFILE:
    orr__answer_fail(exchange, ORR_E_INVALID, "the CA certificate is not readable as PEM");
    return;
  case CURLE_SSL_CONNECT_ERROR:
    *ret_is_connection = is_handshake_cut(exchange);
    if (!*ret_is_connection) {
      fail_tls(exchange, result);
    } else {
      orr__answer_fail(exchange, ORR_E_UNREACHABLE, "the connection was closed in the TLS handshake");
    }
    return;
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CIPHER:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_SSL_INVALIDCERTSTATUS:
  case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    fail_tls(exchange, result);
    return;
  case CURLE_COULDNT_CONNECT:
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_RESOLVE_PROXY:
  case CURLE_PROXY:
  case CURLE_GOT_NOTHING:
  case CURLE_SEND_ERROR:
  case CURLE_RECV_ERROR:
  case CURLE_PARTIAL_FILE:
    *ret_is_connection = true;
    fail_connection(exchange, result);
    return;
  default:
    orr__answer_fail(exchange, ORR_E_UNREACHABLE, curl_easy_strerror(result));
    return;
  }
}

int64_t orr__answer_retry_ms(const orr__exchange *exchange) {
  long status = 0;
  curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
  if (status != 429 && status != 503) return -1;
  struct curl_header *header = NULL;
  if (curl_easy_header(exchange->easy, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK) return -1;
  curl_off_t seconds = 0;
  if (curl_easy_getinfo(exchange->easy, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds < 0) return -1;
  return seconds > INT64_MAX / 1000 ? INT64_MAX : (int64_t)seconds * 1000;
}

static void copy_lower(char *to, const char *from) {
  do {
    *to++ = *from >= 'A' && *from <= 'Z' ? (char)(*from - 'A' + 'a') : *from;
  } while (*from++ != '\0');
}

/* Owned array with the names behind it in the same piece of memory; the values stay libcurl's. An empty answer gives an array, too; NULL
 * when out of memory. What was counted while they came, with the status line and the blank one, is no less. */
static orr__header *collect_headers(const orr__exchange *exchange, size_t *ret_count) {
  size_t most = exchange->header_count, i = 0;
  orr__header *headers = malloc((most + 1) * sizeof *headers + exchange->header_bytes + 1);
  if (headers == NULL) return NULL;
  char *names = (char *)(headers + most + 1);
  struct curl_header *header = NULL;
  while (i < most && (header = curl_easy_nextheader(exchange->easy, CURLH_HEADER, -1, header)) != NULL) {
    copy_lower(names, header->name);
    headers[i++] = (orr__header){ names, header->value };
    names += strlen(names) + 1;
  }
  *ret_count = i;
  return headers;
}

void orr__answer_deliver(orr__exchange *exchange) {
  orr__header *headers = NULL;
  orr__http_reply reply = { .code = exchange->code, .body = "" };
  if (exchange->code == 0) {
    headers = collect_headers(exchange, &reply.header_count);
    if (headers == NULL) {
      orr__answer_fail(exchange, ORR_E_NOMEM, "out of memory");
      reply.code = exchange->code;
    } else {
      long status = 0;
      curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
      reply.status = (int)status;
      reply.headers = headers;
      reply.body = orr__buf_text(&exchange->body);
      reply.body_len = exchange->body.len;
    }
  }
  if (reply.code != 0) {
    reply.message = exchange->message;
    reply.was_sent = exchange->was_sent;
  }
  exchange->done(exchange->arg, &reply);
  free(headers);
}
