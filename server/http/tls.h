/*
 * tls.h - TLS for the connections of clients, by OpenSSL.
 *
 * Here: a certificate with its key, whose clients it lets in, and the sessions made with it: the
 * handshake, and bytes in and out as recv and send have them. Versions 1.2 and 1.3. There is no
 * renegotiation, and no session is resumed: a connection serves thousands of requests, so that
 * little would be gained, and the keys of tickets would outlive what they protect.
 * Not here: when a socket can be read or written, and what could not be sent yet (wire); who fails
 * to connect (handshake).
 */
#ifndef SERVER_HTTP_TLS_H
#define SERVER_HTTP_TLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "schema/error.h"

#define TLS_RECORD_BYTES 16384 /* at most, in one record */

/* All in PEM. cert: the certificate and then those that vouch for it. */
struct tls_files {
	const char *cert, *key;
	const char *client_ca; /* who vouches for clients; NULL: they need no certificate */
};

struct tls;
struct tls_session;

/* ERROR_CONFIG: a file cannot be read or used, or the key is not the certificate's. */
int tls_load(const struct tls_files *files, struct tls **ret, struct error *err);
/* Its sessions go on. */
void tls_free(struct tls *tls);
int64_t tls_expires_ms(const struct tls *tls); /* the certificate, by the wall clock */

/* A session with the client at the other end of fd, which stays the caller's. */
struct tls_session *tls_session_new(const struct tls *tls, int fd);
void tls_session_free(struct tls_session *session);

enum tls_step {
	TLS_DONE,
	TLS_READS,  /* goes on when there is something to read */
	TLS_WRITES, /* goes on when there is room to write */
	TLS_GONE,   /* the client has hung up */
	TLS_FAILED
};

/* Goes on with the handshake; all that follows comes after TLS_DONE. err: why it has failed. */
enum tls_step tls_handshake(struct tls_session *session, struct error *err);

/*
 * As recv and send on a socket that does not block: EAGAIN where that would. tls_write takes
 * something or fails; what it has not taken is to be given to it again, at least TLS_RECORD_BYTES
 * of it or all, perhaps at another address.
 */
ssize_t tls_read(struct tls_session *session, char *data, size_t len);
ssize_t tls_write(struct tls_session *session, const char *data, size_t len);
/* Bytes that tls_read has at hand, of which the socket tells nothing. */
size_t tls_pending(const struct tls_session *session);

/* Tells the client, once, that no more will come. */
void tls_end(struct tls_session *session);

#endif
