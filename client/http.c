/*
 * The client's HTTP, on one libcurl easy handle in a multi handle of its own, whose poll also hears
 * interruptions: an eventfd, which a signal handler may write to.
 *
 * The server may close a kept connection while the next request is on its way. libcurl then sends
 * the request again on a new connection. That is right for reads, but anything else could be done
 * twice: the server may have carried it out and died before it answered. So on_send counts how
 * often a request is sent, and aborts the second time unless the request is repeatable. To make
 * this rare, an idle connection is dropped before the server's own idle timeout.
 *
 * A stream goes to the request's on_data as it arrives. It has no end, so it gets no timeout; it
 * ends when nothing has come for too long. libcurl calls on_progress at least once a second, which
 * checks that.
 */
#include "client/http.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/eventfd.h>

#include <curl/curl.h>
#include <unistd.h>

#include "client/clock.h"

#define TIMEOUT_MS_DEFAULT 30000
#define CONNECT_TIMEOUT_MS_DEFAULT 5000
#define IDLE_S_MAX 45          /* the server closes after 60 */
#define RETRY_AFTER_S_MAX 3600 /* a longer one is no server's of ours */
#define PROGRESS_MS 1000

struct sevq_http {
	CURL *easy;
	CURLM *multi;
	int interrupt_fd; /* readable: there was an interruption that has ended no exchange yet */
	struct curl_slist *headers, *body_headers; /* of requests without and with a body */
	struct curl_slist *stream_headers;         /* of requests for a stream */
	char *base;                                /* what every URL starts with */
	char *where;                               /* the server's address in messages */
	int64_t timeout_ms;                        /* of a call; a request's wait_ms is added */
	bool lacks_cert;                           /* speaks TLS without a certificate of ours */
	struct sevq_buffer url, answer;
	/* During an exchange: */
	const struct sevq_request *request;
	int sent;             /* how often the request was sent */
	bool stopped;         /* on_data wants no more of the stream */
	bool interrupted;     /* an interruption has ended it */
	int64_t last_data_ms; /* when data last arrived, by the monotonic clock */
	char error[CURL_ERROR_SIZE];
};

static bool
is_type(const char *header, const char *type)
{
	size_t len = strlen(type);

	return header != NULL && strncasecmp(header, type, len) == 0 &&
	       strchr("; \t", header[len]) != NULL;
}

/* Whether the answer is the stream that was asked for, and not a problem. */
static bool
is_stream(const struct sevq_http *http, const struct sevq_request *request)
{
	const char *type = NULL;
	long status = 0;

	curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(http->easy, CURLINFO_CONTENT_TYPE, &type);
	return request->on_data != NULL && status == 200 && is_type(type, "text/event-stream");
}

static size_t
on_data(char *data, size_t size, size_t count, void *arg)
{
	struct sevq_http *http = arg;

	http->last_data_ms = sevq_clock_monotonic_ms();
	if (is_stream(http, http->request)) {
		http->stopped =
		    !http->request->on_data(http->request->on_data_arg, data, size * count);
		return http->stopped ? 0 : size * count;
	}
	if (count > SEVQ_ANSWER_BYTES_MAX - http->answer.len)
		return 0;
	sevq_buffer_add(&http->answer, data, size * count);
	return http->answer.failed ? 0 : size * count;
}

/* NOLINTBEGIN(readability-non-const-parameter): libcurl defines the signature */
static int
on_send(void *arg, char *ip, char *local_ip, int port, int local_port)
{
	struct sevq_http *http = arg;

	(void)ip, (void)local_ip, (void)port, (void)local_port;
	return http->sent++ == 0 || http->request->repeatable ? CURL_PREREQFUNC_OK
							      : CURL_PREREQFUNC_ABORT;
}
/* NOLINTEND(readability-non-const-parameter) */

/* Returns non-zero to abort: the stream has been silent for too long. */
static int
on_progress(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
	struct sevq_http *http = arg;

	(void)down_all, (void)down, (void)up_all, (void)up;
	return http->request->on_data != NULL &&
	       sevq_clock_monotonic_ms() - http->last_data_ms > http->request->silence_ms;
}

/* Appends a header line to the list. On failure the list is unchanged. */
static bool
add_header(struct curl_slist **list, const char *name, const char *value)
{
	struct sevq_buffer line = { 0 };
	struct curl_slist *longer = NULL;

	sevq_buffer_addf(&line, "%s%s", name, value);
	if (!line.failed)
		longer = curl_slist_append(*list, sevq_buffer_text(&line));
	if (longer != NULL)
		*list = longer;
	sevq_buffer_clear(&line);
	return longer != NULL;
}

static bool
add_common_headers(struct curl_slist **list, const char *accept, const char *token)
{
	/* an empty Expect keeps libcurl from asking before it sends a large body */
	return add_header(list, "Accept: ", accept) && add_header(list, "Expect:", "") &&
	       (token == NULL || add_header(list, "Authorization: Bearer ", token));
}

/* Sets the options that are the same for every call. */
static CURLcode
set_up(struct sevq_http *http, const struct sevq_endpoint *endpoint,
       const struct sevq_connect_options *options)
{
	CURL *easy = http->easy;
	long connect_timeout = options->connect_timeout_ms != 0 ? options->connect_timeout_ms
								: CONNECT_TIMEOUT_MS_DEFAULT;
	CURLcode rc = CURLE_OK;

#define SET(option, value) rc = rc == CURLE_OK ? curl_easy_setopt(easy, option, value) : rc
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, connect_timeout);
	SET(CURLOPT_MAXAGE_CONN, (long)IDLE_S_MAX);
	SET(CURLOPT_ERRORBUFFER, http->error);
	SET(CURLOPT_WRITEFUNCTION, on_data);
	SET(CURLOPT_WRITEDATA, http);
	SET(CURLOPT_PREREQFUNCTION, on_send);
	SET(CURLOPT_PREREQDATA, http);
	SET(CURLOPT_XFERINFOFUNCTION, on_progress);
	SET(CURLOPT_XFERINFODATA, http);
	SET(CURLOPT_NOPROGRESS, 0L);
	SET(CURLOPT_USERAGENT,
	    options->user_agent != NULL ? options->user_agent : "libsevq/" SEVQ_VERSION);
	SET(CURLOPT_UNIX_SOCKET_PATH, endpoint->url.unix_path);
	if (endpoint->ca_file != NULL)
		SET(CURLOPT_CAINFO, endpoint->ca_file);
	SET(CURLOPT_SSLCERT, endpoint->cert_file);
	SET(CURLOPT_SSLKEY, endpoint->key_file);
	SET(CURLOPT_KEYPASSWD, ""); /* else OpenSSL would ask at the terminal */
	if (endpoint->url.local)    /* no proxy for this machine, whatever http_proxy says */
		SET(CURLOPT_PROXY, "");
#undef SET
	return rc;
}

enum sevq_code
sevq_http_open(const struct sevq_endpoint *endpoint, const struct sevq_connect_options *options,
	       struct sevq_http **ret, struct sevq_error *error)
{
	struct sevq_http *http = calloc(1, sizeof(*http));
	CURLcode rc;

	if (http == NULL)
		return sevq_error_set(error, SEVQ_NO_MEMORY, "out of memory");
	http->interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	http->base = strdup(endpoint->url.base);
	http->where = strdup(endpoint->url.text);
	http->lacks_cert =
	    strncasecmp(endpoint->url.base, "https:", 6) == 0 && endpoint->cert_file == NULL;
	http->timeout_ms = options->timeout_ms != 0 ? options->timeout_ms : TIMEOUT_MS_DEFAULT;
	http->easy = curl_easy_init();
	http->multi = curl_multi_init();
	if (http->interrupt_fd < 0 || http->base == NULL || http->where == NULL ||
	    http->easy == NULL || http->multi == NULL ||
	    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, 1L) != CURLM_OK ||
	    !add_common_headers(&http->headers, "application/json", endpoint->token) ||
	    !add_common_headers(&http->stream_headers, "text/event-stream", endpoint->token) ||
	    !add_common_headers(&http->body_headers, "application/json", endpoint->token) ||
	    !add_header(&http->body_headers, "Content-Type: ", "application/json")) {
		sevq_http_close(http);
		return sevq_error_set(error, SEVQ_NO_MEMORY, "out of memory");
	}
	rc = set_up(http, endpoint, options);
	if (rc != CURLE_OK) {
		sevq_http_close(http);
		return rc == CURLE_OUT_OF_MEMORY
			   ? sevq_error_set(error, SEVQ_NO_MEMORY, "out of memory")
			   : sevq_error_set(error, SEVQ_CONFIGURATION, "libcurl: %s",
					    curl_easy_strerror(rc));
	}
	*ret = http;
	return SEVQ_OK;
}

void
sevq_http_close(struct sevq_http *http)
{
	if (http == NULL)
		return;
	curl_easy_cleanup(http->easy);
	curl_multi_cleanup(http->multi);
	if (http->interrupt_fd >= 0)
		close(http->interrupt_fd);
	curl_slist_free_all(http->headers);
	curl_slist_free_all(http->body_headers);
	curl_slist_free_all(http->stream_headers);
	sevq_buffer_clear(&http->url);
	sevq_buffer_clear(&http->answer);
	free(http->base);
	free(http->where);
	free(http);
}

/* Sets the options of one call. body NULL: none. */
static CURLcode
set_request(struct sevq_http *http, const struct sevq_request *request, const char *body,
	    const struct curl_slist *headers)
{
	bool streamed = request->on_data != NULL;
	CURLcode rc;

	rc = curl_easy_setopt(http->easy, CURLOPT_URL, sevq_buffer_text(&http->url));
	if (rc == CURLE_OK && body != NULL) {
		curl_easy_setopt(http->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(http->easy, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(http->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
	} else if (rc == CURLE_OK) {
		curl_easy_setopt(http->easy, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(http->easy, CURLOPT_TIMEOUT_MS,
			 streamed ? 0L : (long)(http->timeout_ms + request->wait_ms));
	return rc == CURLE_OK ? curl_easy_setopt(http->easy, CURLOPT_CUSTOMREQUEST, request->method)
			      : rc;
}

/*
 * Whether nobody vouches for the certificate, which is otherwise good: by the numbers of OpenSSL,
 * its issuer is unknown (2, 20, 21) or itself (18, 19).
 */
static bool
lacks_authority(CURL *easy)
{
	long verdict = 0;

	curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
	return verdict == 2 || (verdict >= 18 && verdict <= 21);
}

/* What answers a TLS handshake with something else, such as an error of HTTP. */
static bool
speaks_no_tls(CURLcode rc, const char *why)
{
	return rc == CURLE_SSL_CONNECT_ERROR && (strstr(why, "wrong version number") != NULL ||
						 strstr(why, "record layer failure") != NULL);
}

/*
 * Why no connection came about: a bad certificate stays bad, and whoever waits for a server would
 * wait for ever. libcurl has a general sentence for a refused connection, the system the reason.
 */
static enum sevq_code
failed_to_connect(const struct sevq_http *http, CURLcode rc, const char *why,
		  struct sevq_error *error)
{
	long system_error = 0;

	if (rc == CURLE_PEER_FAILED_VERIFICATION)
		return sevq_error_set(
		    error, SEVQ_CONFIGURATION, "the certificate of %s is not trusted: %s%s",
		    http->where, why,
		    lacks_authority(http->easy) ? "; to trust it, give its authority as ca_file"
						: "");
	if (rc == CURLE_SSL_CACERT_BADFILE)
		return sevq_error_set(error, SEVQ_CONFIGURATION,
				      "the CA file holds no certificates in PEM: %s", why);
	if (rc == CURLE_SSL_CERTPROBLEM)
		return sevq_error_set(error, SEVQ_CONFIGURATION,
				      "the client's certificate or its key cannot be used: %s",
				      why);
	if (rc == CURLE_COULDNT_CONNECT)
		curl_easy_getinfo(http->easy, CURLINFO_OS_ERRNO, &system_error);
	if (system_error != 0)
		why = strerror((int)system_error);
	else if (speaks_no_tls(rc, why))
		why = "nobody speaks TLS there";
	return sevq_error_set(error, SEVQ_UNREACHABLE, "cannot connect to %s: %s", http->where,
			      why);
}

/*
 * A server that asks for a certificate refuses the connection only after the request was sent, and
 * its reason is often lost on the way.
 */
static const char *
certificate_advice(const struct sevq_http *http)
{
	long connects = 0;

	curl_easy_getinfo(http->easy, CURLINFO_NUM_CONNECTS, &connects);
	return http->lacks_cert && connects > 0
		   ? "; if the server asks for a client's certificate, give cert_file"
		   : "";
}

/* Translates a failure of libcurl into a code of sevq.h and a message. */
static enum sevq_code
failed(const struct sevq_http *http, const struct sevq_request *request, CURLcode rc,
       struct sevq_error *error)
{
	const char *why = http->error[0] != '\0' ? http->error : curl_easy_strerror(rc);

	if (http->interrupted)
		return sevq_error_set(error, SEVQ_INTERRUPTED, "interrupted");
	if (rc == CURLE_OUT_OF_MEMORY || http->answer.failed)
		return sevq_error_set(error, SEVQ_NO_MEMORY, "out of memory");
	if (http->sent == 0)
		return failed_to_connect(http, rc, why, error);
	if (request->on_data != NULL)
		return sevq_error_set(
		    error, SEVQ_LOST, "lost the connection to %s: %s", http->where,
		    rc == CURLE_ABORTED_BY_CALLBACK ? "the server has been silent for too long"
						    : why);
	switch (rc) {
	case CURLE_OPERATION_TIMEDOUT:
		return sevq_error_set(
		    error, SEVQ_TIMED_OUT,
		    "no answer from %s in time; the call may have been carried out", http->where);
	case CURLE_WRITE_ERROR:
		return sevq_error_set(error, SEVQ_BAD_ANSWER, "the answer of %s is too large",
				      http->where);
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9, or not HTTP at all */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		return sevq_error_set(error, SEVQ_BAD_ANSWER, "%s is no sevqd: %s", http->where,
				      why);
	default: /* among them the second sending, which on_send aborts */
		return sevq_error_set(
		    error, SEVQ_LOST,
		    "lost the connection to %s before its answer; the call may have been carried "
		    "out: %s%s",
		    http->where,
		    rc == CURLE_ABORTED_BY_CALLBACK ? "the connection was closed" : why,
		    certificate_advice(http));
	}
}

/* Whether there was an interruption; forgets it. */
static bool
take_interruption(const struct sevq_http *http)
{
	uint64_t count;

	return read(http->interrupt_fd, &count, sizeof(count)) == sizeof(count);
}

/* Writing to an eventfd is safe in a signal handler, and fails only if it is readable anyway. */
void
sevq_http_interrupt(const struct sevq_http *http)
{
	const uint64_t one = 1;
	int saved = errno;

	(void)!write(http->interrupt_fd, &one, sizeof(one));
	errno = saved;
}

/* Drives the transfer until it ends or is interrupted. */
static CURLMcode
drive(struct sevq_http *http)
{
	struct curl_waitfd interrupt = { .fd = http->interrupt_fd, .events = CURL_WAIT_POLLIN };
	bool listens = http->request->interruptible;
	CURLMcode rc = CURLM_OK;
	int running = 1;

	while (rc == CURLM_OK && running > 0) {
		if (listens && take_interruption(http)) {
			http->interrupted = true;
			return CURLM_OK;
		}
		rc = curl_multi_perform(http->multi, &running);
		if (rc == CURLM_OK && running > 0)
			rc = curl_multi_poll(http->multi, &interrupt, listens ? 1 : 0, PROGRESS_MS,
					     NULL);
	}
	return rc;
}

/* As curl_easy_perform, but for interruptions, which are CURLE_ABORTED_BY_CALLBACK. */
static CURLcode
transfer(struct sevq_http *http)
{
	CURLMcode rc = curl_multi_add_handle(http->multi, http->easy);
	CURLcode result = CURLE_ABORTED_BY_CALLBACK;
	const CURLMsg *message;
	int left;

	if (rc == CURLM_OK)
		rc = drive(http);
	message = curl_multi_info_read(http->multi, &left);
	if (message != NULL)
		result = message->data.result;
	curl_multi_remove_handle(http->multi, http->easy);
	if (rc == CURLM_OUT_OF_MEMORY)
		return CURLE_OUT_OF_MEMORY;
	return rc == CURLM_OK ? result : CURLE_FAILED_INIT;
}

static CURLcode
perform(struct sevq_http *http, const struct sevq_request *request, const char *body)
{
	struct curl_slist *fixed = request->on_data != NULL ? http->stream_headers
				   : body != NULL           ? http->body_headers
							    : http->headers;
	struct curl_slist own = { .data = request->header.data, .next = fixed };
	CURLcode rc;

	http->request = request;
	http->sent = 0;
	http->stopped = http->interrupted = false;
	http->last_data_ms = sevq_clock_monotonic_ms();
	http->error[0] = '\0';
	sevq_buffer_truncate(&http->url);
	sevq_buffer_truncate(&http->answer);
	sevq_buffer_adds(&http->url, http->base);
	sevq_buffer_adds(&http->url, sevq_buffer_text(&request->target));
	rc = http->url.failed
		 ? CURLE_OUT_OF_MEMORY
		 : set_request(http, request, body, request->header.len > 0 ? &own : fixed);
	if (rc == CURLE_OK)
		rc = transfer(http);
	curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, NULL); /* `own` ends with this function */
	http->request = NULL;
	return http->stopped ? CURLE_OK : rc;
}

static void
read_answer(const struct sevq_http *http, const struct sevq_request *request,
	    struct sevq_http_answer *ret)
{
	const char *type = NULL;
	long status = 0;
	curl_off_t retry_after_s = 0;

	curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(http->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
	curl_easy_getinfo(http->easy, CURLINFO_CONTENT_TYPE, &type);
	ret->status = (int)status;
	ret->retry_after_s =
	    retry_after_s < RETRY_AFTER_S_MAX ? (long)retry_after_s : RETRY_AFTER_S_MAX;
	ret->json = is_type(type, "application/json");
	ret->streamed = is_stream(http, request);
	ret->problem = is_type(type, "application/problem+json");
	ret->body = sevq_buffer_text(&http->answer);
	ret->len = http->answer.len;
}

enum sevq_code
sevq_http_exchange(struct sevq_http *http, const struct sevq_request *request,
		   struct sevq_http_answer *ret, struct sevq_error *error)
{
	char *body = NULL;
	CURLcode rc;

	memset(ret, 0, sizeof(*ret));
	if (request->body != NULL) {
		body = cJSON_PrintUnformatted(request->body);
		if (body == NULL)
			return sevq_error_set(error, SEVQ_NO_MEMORY, "out of memory");
	}
	rc = perform(http, request, body);
	cJSON_free(body);
	if (rc != CURLE_OK)
		return failed(http, request, rc, error);
	read_answer(http, request, ret);
	return SEVQ_OK;
}
