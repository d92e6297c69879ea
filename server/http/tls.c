/*
 * tls.c - the context of a certificate, and the sessions of its connections.
 */
#include "server/http/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include "schema/mem.h"

/* Of TLS 1.2: a key for each connection, and no cipher without authentication of its own. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
#define FOR_OTHERS 007 /* permission bits */

struct tls {
	SSL_CTX *context;
	int64_t expires_ms;
};

struct tls_session {
	SSL *ssl;
	bool broken; /* nothing may be said any more, not even its end */
};

/* --- files --- */

static int
check_file(const char *option, const char *path, mode_t refused, struct error *err)
{
	struct stat st;

	if (stat(path, &st) != 0 || access(path, R_OK) != 0)
		return error_set(err, ERROR_CONFIG, "%s %s: %s", option, path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_CONFIG, "%s %s: is no regular file", option, path);
	if ((st.st_mode & refused) != 0)
		return error_set(err, ERROR_CONFIG,
				 "%s %s: must not be open to everybody (mode 0640 or less)", option,
				 path);
	return 0;
}

/* The innermost reason, as OpenSSL words it. */
static const char *
reason(void)
{
	unsigned long code = ERR_peek_error();
	const char *text =
	    ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);

	return text != NULL ? text : "OpenSSL gives no reason";
}

static int
unusable(const char *option, const char *path, struct error *err)
{
	return error_set(err, ERROR_CONFIG, "%s %s: %s", option, path, reason());
}

/* OpenSSL would ask on the terminal. */
static int /* NOLINTNEXTLINE(readability-non-const-parameter): as OpenSSL calls it */
refuse_password(char *password, int size, int writing, void *asked)
{
	(void)password, (void)size, (void)writing;
	*(bool *)asked = true;
	return -1;
}

static int
load_key(SSL_CTX *context, const char *path, struct error *err)
{
	bool encrypted = false;

	if (check_file("tls-key", path, FOR_OTHERS, err) != 0)
		return -1;
	SSL_CTX_set_default_passwd_cb(context, refuse_password);
	SSL_CTX_set_default_passwd_cb_userdata(context, &encrypted);
	if (SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1)
		return 0;
	return encrypted
		   ? error_set(
			 err, ERROR_CONFIG,
			 "tls-key %s: is encrypted, and nobody is there to ask for the password",
			 path)
		   : unusable("tls-key", path, err);
}

/* The key comes first: a certificate of another key drops it, whatever the kinds of both. */
static int
load_pair(SSL_CTX *context, const struct tls_files *files, struct error *err)
{
	if (load_key(context, files->key, err) != 0 ||
	    check_file("tls-cert", files->cert, 0, err) != 0)
		return -1;
	if (SSL_CTX_use_certificate_chain_file(context, files->cert) != 1)
		return unusable("tls-cert", files->cert, err);
	if (SSL_CTX_check_private_key(context) != 1)
		return error_set(err, ERROR_CONFIG, "tls-key %s: is not the key of tls-cert %s",
				 files->key, files->cert);
	return 0;
}

static int
load_client_ca(SSL_CTX *context, const char *path, struct error *err)
{
	STACK_OF(X509_NAME) * names;

	if (path == NULL)
		return 0;
	if (check_file("tls-client-ca", path, 0, err) != 0)
		return -1;
	names = SSL_load_client_CA_file(path);
	if (names == NULL || SSL_CTX_load_verify_file(context, path) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return unusable("tls-client-ca", path, err);
	}
	SSL_CTX_set_client_CA_list(context, names); /* moved */
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return 0;
}

static int64_t
expiry_ms(SSL_CTX *context)
{
	struct tm tm = { 0 };

	if (ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(context)), &tm) != 1)
		return 0;
	return (int64_t)timegm(&tm) * 1000;
}

/*
 * A client that closes its socket without TLS's own end is taken as one that has ended: a request
 * says itself where it ends, so nobody can cut one short unnoticed.
 */
static SSL_CTX *
make_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(context, CIPHERS) != 1)
		abort(); /* as everywhere when memory is out: schema/mem.h */
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
					 SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context, 0);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY); /* a call handles one record */
	return context;
}

int
tls_load(const struct tls_files *files, struct tls **ret, struct error *err)
{
	SSL_CTX *context = make_context();

	ERR_clear_error();
	if (load_pair(context, files, err) != 0 ||
	    load_client_ca(context, files->client_ca, err) != 0) {
		SSL_CTX_free(context);
		return -1;
	}
	SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
	*ret = mem_alloc(sizeof(**ret));
	**ret = (struct tls){ context, expiry_ms(context) };
	return 0;
}

void
tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	SSL_CTX_free(tls->context); /* sessions hold it, too */
	free(tls);
}

int64_t
tls_expires_ms(const struct tls *tls)
{
	return tls->expires_ms;
}

/* --- sessions --- */

struct tls_session *
tls_session_new(const struct tls *tls, int fd)
{
	struct tls_session *session = mem_alloc(sizeof(*session));

	session->ssl = SSL_new(tls->context);
	if (session->ssl == NULL || SSL_set_fd(session->ssl, fd) != 1)
		abort(); /* as everywhere when memory is out: schema/mem.h */
	SSL_set_accept_state(session->ssl);
	return session;
}

void
tls_session_free(struct tls_session *session)
{
	if (session == NULL)
		return;
	SSL_free(session->ssl);
	free(session);
}

/* Why a handshake has failed, in words where OpenSSL's need a translation. */
static const char *
handshake_reason(const SSL *ssl)
{
	switch (ERR_GET_REASON(ERR_peek_error())) {
	case SSL_R_HTTP_REQUEST:
		return "the client speaks plain HTTP; its URL must begin with https://";
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
		return X509_verify_cert_error_string(SSL_get_verify_result(ssl));
	default:
		return reason();
	}
}

enum tls_step
tls_handshake(struct tls_session *session, struct error *err)
{
	int rc;

	ERR_clear_error();
	rc = SSL_do_handshake(session->ssl);
	if (rc == 1)
		return TLS_DONE;
	switch (SSL_get_error(session->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return TLS_READS;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WRITES;
	case SSL_ERROR_SSL:
		session->broken = true;
		error_set(err, ERROR_BAD_REQUEST, "%s", handshake_reason(session->ssl));
		return TLS_FAILED;
	default:
		session->broken = true;
		return TLS_GONE;
	}
}

/* Sets errno as recv and send do, and returns -1. */
static ssize_t
fail(struct tls_session *session, int error)
{
	bool passing = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;

	session->broken = session->broken || !passing;
	errno = passing ? EAGAIN : ECONNRESET;
	return -1;
}

ssize_t
tls_read(struct tls_session *session, char *data, size_t len)
{
	size_t n;
	int error;

	ERR_clear_error();
	if (SSL_read_ex(session->ssl, data, len, &n) == 1)
		return (ssize_t)n;
	error = SSL_get_error(session->ssl, 0);
	return error == SSL_ERROR_ZERO_RETURN ? 0 : fail(session, error);
}

/*
 * Record by record, so that what is given again after EAGAIN begins where this one had begun. A
 * write that fails once the client has ended its side is SSL_ERROR_ZERO_RETURN, too.
 */
ssize_t
tls_write(struct tls_session *session, const char *data, size_t len)
{
	size_t done = 0, n;

	ERR_clear_error();
	while (done < len) {
		size_t most = len - done < TLS_RECORD_BYTES ? len - done : TLS_RECORD_BYTES;

		if (SSL_write_ex(session->ssl, data + done, most, &n) != 1)
			return done > 0 ? (ssize_t)done
					: fail(session, SSL_get_error(session->ssl, 0));
		done += n;
	}
	return (ssize_t)done;
}

size_t
tls_pending(const struct tls_session *session)
{
	return (size_t)SSL_pending(session->ssl);
}

void
tls_end(struct tls_session *session)
{
	bool said = (SSL_get_shutdown(session->ssl) & SSL_SENT_SHUTDOWN) != 0;

	ERR_clear_error();
	if (!session->broken && !said && SSL_is_init_finished(session->ssl))
		SSL_shutdown(session->ssl);
}
