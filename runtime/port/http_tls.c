/* Certificates pinned by fingerprint: the one place that looks into OpenSSL, because libcurl pins public
 * keys only and appliances publish the fingerprint of the certificate.
 *
 * The check is made on the connection about to be used, whether it is new, pooled or resumed, so that no
 * request leaves on one whose certificate is another. Deliberately ignorant of names and dates: a pinned
 * certificate is accepted for what it is. */
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

#include "port/http_private.h"

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool orr__pin_parse(const char *text, orr__pin *ret_pin) {
  orr__pin pin = { { 0 } };
  size_t digits = 0;
  for (; *text != '\0'; text++) {
    /* Separators stand between bytes only. */
    if ((*text == ':' || *text == ' ') && digits % 2 == 0) continue;
    int value = hex_value(*text);
    if (value < 0 || digits == 2 * ORR_HTTP_PIN) return false;
    pin.digest[digits / 2] = (uint8_t)(pin.digest[digits / 2] << 4 | value);
    digits++;
  }
  if (digits != 2 * ORR_HTTP_PIN) return false;
  *ret_pin = pin;
  return true;
}

bool orr__pin_matches(CURL *easy, const orr__pin *pin, orr__pin *ret_seen) {
  *ret_seen = (orr__pin){ { 0 } };
  struct curl_tlssessioninfo *session = NULL;
  if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK || session == NULL) return false;
  if (session->backend != CURLSSLBACKEND_OPENSSL || session->internals == NULL) return false;
  X509 *certificate = SSL_get1_peer_certificate(session->internals);
  if (certificate == NULL) return false;
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned len = 0;
  int is_hashed = X509_digest(certificate, EVP_sha256(), digest, &len);
  X509_free(certificate);
  if (is_hashed != 1 || len != ORR_HTTP_PIN) return false;
  memcpy(ret_seen->digest, digest, ORR_HTTP_PIN);
  return memcmp(pin->digest, digest, ORR_HTTP_PIN) == 0;
}

orr__http_library orr__http_library_facts(void) {
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  orr__http_library facts = { info->version, info->ssl_version, NULL };
  CURL *easy = curl_easy_init();
  char *bundle = NULL;
  if (easy != NULL && curl_easy_getinfo(easy, CURLINFO_CAINFO, &bundle) == CURLE_OK) facts.ca_bundle = bundle;
  curl_easy_cleanup(easy);
  return facts;
}
