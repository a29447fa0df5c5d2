/* TLS for the test server (http_server.h), with OpenSSL: certificates made on the spot, and the stream that speaks TLS. Of
 * cmocka's asserts it expects that whoever includes it has them, or two of the same names. */
#ifndef TEST_TLS_SERVER_H
#define TEST_TLS_SERVER_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/str.h"

struct identity {
  EVP_PKEY *key;
  X509 *certificate;
  char *pem;
  char fingerprint[3 * 32];
};

static inline void add_extension(X509 *certificate, int nid, const char *value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

/* Self-signed, so that it is its own CA; for which names ("IP:127.0.0.1"), and valid from when until when, in seconds from now. */
static inline void identity_make_for(struct identity *identity, long serial, const char *names, long from, long until) {
  identity->key = EVP_EC_gen("P-256");
  X509 *certificate = identity->certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), from);
  X509_gmtime_adj(X509_getm_notAfter(certificate), until);
  X509_set_pubkey(certificate, identity->key);
  X509_NAME *name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"appliance", -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate, NID_subject_alt_name, names);
  assert_true(X509_sign(certificate, identity->key, EVP_sha256()) > 0);

  BIO *memory = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(memory, certificate);
  char *text = NULL;
  long len = BIO_get_mem_data(memory, &text);
  identity->pem = orr__strndup(text, (size_t)len);
  BIO_free(memory);

  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned digest_len = 0;
  X509_digest(certificate, EVP_sha256(), digest, &digest_len);
  assert_int_equal(digest_len, 32);
  for (int i = 0; i < 32; i++) sprintf(identity->fingerprint + 3 * i, i < 31 ? "%02X:" : "%02X", digest[i]);
}

static inline void identity_make(struct identity *identity, long serial) {
  identity_make_for(identity, serial, "IP:127.0.0.1", -3600, 86400);
}

static inline void identity_clear(struct identity *identity) {
  X509_free(identity->certificate);
  EVP_PKEY_free(identity->key);
  free(identity->pem);
}

static inline void present(SSL_CTX *context, const struct identity *identity) {
  assert_int_equal(SSL_CTX_use_certificate(context, identity->certificate), 1);
  assert_int_equal(SSL_CTX_use_PrivateKey(context, identity->key), 1);
}

static inline void *tls_open(void *arg, int fd) {
  SSL *ssl = SSL_new(arg);
  SSL_set_fd(ssl, fd);
  if (SSL_accept(ssl) == 1) return ssl;
  SSL_free(ssl);
  return NULL;
}

static inline ssize_t tls_read(void *stream, void *bytes, size_t len) {
  return SSL_read(stream, bytes, (int)(len < 16384 ? len : 16384));
}

static inline ssize_t tls_write(void *stream, const void *bytes, size_t len) {
  return SSL_write(stream, bytes, (int)len);
}

static inline void tls_close(void *stream) {
  SSL_shutdown(stream);
  SSL_free(stream);
}

#endif
