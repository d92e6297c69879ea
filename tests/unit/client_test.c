/*
 * client_test.c - the parts of libsevq that need no server: addresses, the search for the server,
 * requests, answers.
 *
 * The link wraps the allocators (--wrap), so that a test can let the k-th allocation fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <unistd.h>

#include "client/answer.h"
#include "client/endpoint.h"
#include "client/json.h"
#include "client/request.h"
#include "client/sse.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* --- memory that runs out --- */

static int allocations_left = -1; /* below 0: no limit */

static bool
may_allocate(void)
{
	return allocations_left < 0 || allocations_left-- > 0;
}

/* The linker's --wrap option requires these names. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t len);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t len);

void *
__wrap_malloc(size_t size)
{
	return may_allocate() ? __real_malloc(size) : NULL;
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return may_allocate() ? __real_calloc(count, size) : NULL;
}

void *
__wrap_realloc(void *p, size_t size)
{
	return may_allocate() ? __real_realloc(p, size) : NULL;
}

char *
__wrap_strdup(const char *s)
{
	return may_allocate() ? __real_strdup(s) : NULL;
}

char *
__wrap_strndup(const char *s, size_t len)
{
	return may_allocate() ? __real_strndup(s, len) : NULL;
}

/* cJSON is a shared library: its allocations are wrapped by its own hooks. */
static void
hook_cjson(void)
{
	cJSON_Hooks hooks = { .malloc_fn = __wrap_malloc, .free_fn = free };

	cJSON_InitHooks(&hooks);
}

/* --- addresses --- */

static void
base_urls_are_read_or_refused(void **state)
{
	static const struct {
		const char *text, *base; /* base NULL: refused */
		bool local;
	} cases[] = {
		{ "http://127.0.0.1:7387", "http://127.0.0.1:7387", true },
		{ "http://127.9.9.9", "http://127.9.9.9", true },
		{ "http://localhost:1/", "http://localhost:1", true },
		{ "HTTP://LocalHost:1", "HTTP://LocalHost:1", true },
		{ "http://[::1]:7387//", "http://[::1]:7387", true },
		{ "https://queue.example/prefix/", "https://queue.example/prefix", false },
		{ "http://localhost.example", "http://localhost.example", false },
		{ "http://128.0.0.1", "http://128.0.0.1", false },
		{ "unix:/run/sevq.sock", "http://localhost", true },
		{ "", NULL, false },
		{ "127.0.0.1:7387", NULL, false },
		{ "ftp://127.0.0.1", NULL, false },
		{ "file:///etc/passwd", NULL, false },
		{ "http://", NULL, false },
		{ "http://a b", NULL, false },
		{ "http://host:port", NULL, false },
		{ "http://user@host", NULL, false },
		{ "http://user:secret@host", NULL, false },
		{ "http://host/?q", NULL, false },
		{ "http://host/#f", NULL, false },
		{ "unix:relative.sock", NULL, false },
		{ "unix:/"
		  "01234567890123456789012345678901234567890123456789012345678901234567890123456789"
		  "01234567890123456789012345678",
		  NULL, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct sevq_error error = { 0 };
		struct sevq_url url;
		enum sevq_code code = sevq_url_read(cases[i].text, &url, &error);

		if (cases[i].base == NULL) {
			assert_int_equal(code, SEVQ_CONFIGURATION);
			assert_true(error.message[0] != '\0');
			assert_null(url.text);
		} else {
			assert_int_equal(code, SEVQ_OK);
			assert_string_equal(url.base, cases[i].base);
			assert_int_equal(url.local, cases[i].local);
			assert_int_equal(url.unix_path != NULL,
					 strncmp(cases[i].text, "unix:", 5) == 0);
		}
		sevq_url_clear(&url);
	}
}

static void
a_password_in_a_url_is_not_repeated_in_the_message(void **state)
{
	struct sevq_error error = { 0 };
	struct sevq_url url;

	(void)state;
	assert_int_equal(sevq_url_read("http://user:secret@host", &url, &error),
			 SEVQ_CONFIGURATION);
	assert_null(strstr(error.message, "secret"));
}

static void
everything_but_unreserved_characters_is_escaped(void **state)
{
	struct sevq_buffer out = { 0 };

	(void)state;
	sevq_url_escape(&out, "azAZ09-._~ /?&=%+#:\xc3\xa9");
	assert_string_equal(out.data, "azAZ09-._~%20%2F%3F%26%3D%25%2B%23%3A%C3%A9");
	sevq_buffer_clear(&out);
}

static void
a_query_joins_what_is_given(void **state)
{
	struct sevq_buffer target = { 0 };

	(void)state;
	sevq_buffer_adds(&target, "/v1/events");
	sevq_url_query(&target, "sessionKey", NULL);
	sevq_url_query_number(&target, "limit", 0);
	assert_string_equal(target.data, "/v1/events");
	sevq_url_query(&target, "sessionKey", "a&b?");
	sevq_url_query_number(&target, "limit", 10);
	sevq_url_query(&target, "after", "");
	assert_string_equal(target.data, "/v1/events?sessionKey=a%26b%3F&limit=10&after=");
	sevq_buffer_clear(&target);
}

/* --- finding the server --- */

static char home[] = "/tmp/sevq-client-XXXXXX", home_template[] = "/tmp/sevq-client-XXXXXX";

static void
write_file(const char *name, const char *text, mode_t mode)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/sevq/%s", home, name);
	unlink(path);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

/* When this process was started, by the field that `ps -o` knows as lstart, in clock ticks. */
static long long
start_time(void)
{
	long long start = 0;
	FILE *file = fopen("/proc/self/stat", "r");

	assert_non_null(file);
	assert_int_equal(fscanf(file,
				"%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u "
				"%*d %*d %*d %*d %*d %*d %lld",
				&start),
			 1);
	fclose(file);
	return start;
}

/* Writes the runtime file of a server with this pid, which was started so much later than we. */
static void
write_runtime_started(const char *address, int pid, long long later, mode_t mode)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"address\":\"%s\",\"listens\":[\"unix:/run/x\",\"%s\",\"http://[::1]:9\"],"
		 "\"tokenFile\":\"%s/sevq/own-token\",\"pid\":%d,\"startTime\":%lld}\n",
		 address, address, home, pid, start_time() + later);
	write_file("sevqd.json", text, mode);
}

/* The same for a server that runs as this process; its token file is "own-token". */
static void
write_runtime(const char *address, int pid, mode_t mode)
{
	write_runtime_started(address, pid, 0, mode);
}

static int
make_home(void **state)
{
	char path[128];

	(void)state;
	memcpy(home, home_template, sizeof(home));
	if (mkdtemp(home) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/sevq", home);
	unsetenv("SEVQ_URL");
	unsetenv("SEVQ_TOKEN");
	unsetenv("SEVQ_TOKEN_FILE");
	setenv("XDG_STATE_HOME", home, 1);
	return mkdir(path, 0700);
}

static int
remove_home(void **state)
{
	static const char *const names[] = { "/sevq/sevqd.json", "/sevq/token", "/sevq/own-token",
					     "/sevq/link",       "/sevq",       "" };
	char path[128];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s%s", home, names[i]);
		remove(path);
	}
	return 0;
}

/*
 * Searches with these options and compares the result; a code other than SEVQ_OK must be the error.
 */
static void
expect_endpoint(const struct sevq_connect_options *options, enum sevq_code code, const char *url,
		const char *token)
{
	static const struct sevq_connect_options none;
	struct sevq_error error = { 0 };
	struct sevq_endpoint endpoint;

	assert_int_equal(sevq_endpoint_find(options != NULL ? options : &none, &endpoint, &error),
			 code);
	if (code == SEVQ_OK) {
		assert_string_equal(error.message, "");
		assert_string_equal(endpoint.url.text, url);
		if (token == NULL)
			assert_null(endpoint.token);
		else
			assert_string_equal(endpoint.token, token);
	} else {
		assert_true(error.message[0] != '\0');
		assert_null(endpoint.url.text);
	}
	sevq_endpoint_clear(&endpoint);
}

static void
with_nothing_there_the_default_address_and_no_token(void **state)
{
	(void)state;
	expect_endpoint(NULL, SEVQ_OK, SEVQ_DEFAULT_URL, NULL);
}

static void
without_a_running_server_nobody_is_given_a_token(void **state)
{
	struct sevq_connect_options other_port = { .base_url = "http://localhost:1" };
	struct sevq_connect_options elsewhere = { .base_url = "http://queue.example" };

	(void)state;
	write_file("token", "default-token\n", 0600);
	expect_endpoint(NULL, SEVQ_OK, SEVQ_DEFAULT_URL, NULL);
	expect_endpoint(&other_port, SEVQ_OK, "http://localhost:1", NULL);
	expect_endpoint(&elsewhere, SEVQ_OK, "http://queue.example", NULL);
}

static void
a_running_server_is_found_with_its_token(void **state)
{
	struct sevq_connect_options the_same = { .base_url = "http://127.0.0.1:4242/" };
	struct sevq_connect_options another = { .base_url = "http://127.0.0.1:4243" };

	(void)state;
	write_file("token", "default-token", 0600);
	write_file("own-token", " own-token \n", 0600);
	write_runtime("http://127.0.0.1:4242", getpid(), 0600);
	expect_endpoint(NULL, SEVQ_OK, "http://127.0.0.1:4242", "own-token");
	expect_endpoint(&the_same, SEVQ_OK, "http://127.0.0.1:4242", "own-token");
	expect_endpoint(&another, SEVQ_OK, "http://127.0.0.1:4243", NULL);
}

static void
the_token_goes_to_every_listener_of_the_server_and_to_no_other(void **state)
{
	static const char *const own[] = { "unix:/run/x", "http://[::1]:9",
					   "http://127.0.0.1:4242/" };
	static const char *const others[] = { "unix:/run/y", "http://[::1]:8",
					      "http://localhost:4242", "https://127.0.0.1:4242",
					      "http://127.0.0.1" };
	struct sevq_connect_options named = { 0 };
	struct sevq_endpoint endpoint;
	struct sevq_error error = { 0 };

	(void)state;
	write_file("own-token", "own-token", 0600);
	write_runtime("http://127.0.0.1:4242", getpid(), 0600);
	for (size_t i = 0; i < COUNT(own) + COUNT(others); i++) {
		named.base_url = i < COUNT(own) ? own[i] : others[i - COUNT(own)];
		assert_int_equal(sevq_endpoint_find(&named, &endpoint, &error), SEVQ_OK);
		assert_int_equal(endpoint.token != NULL, i < COUNT(own));
		sevq_endpoint_clear(&endpoint);
	}
}

static void
a_server_without_tokens_is_given_none(void **state)
{
	char text[256];

	(void)state;
	write_file("token", "default-token", 0600);
	snprintf(text, sizeof(text),
		 "{\"address\":\"http://127.0.0.1:4242\",\"tokenFile\":null,\"pid\":%d,"
		 "\"startTime\":%lld}",
		 getpid(), start_time());
	write_file("sevqd.json", text, 0600);
	expect_endpoint(NULL, SEVQ_OK, "http://127.0.0.1:4242", NULL);
}

static void
the_runtime_file_of_a_dead_server_is_ignored(void **state)
{
	(void)state;
	/* beyond the highest process id */
	write_runtime("http://127.0.0.1:4242", 0x7ffffffe, 0600);
	expect_endpoint(NULL, SEVQ_OK, SEVQ_DEFAULT_URL, NULL);
}

/* Its pid may have been given to a process that was started later, or to another user's. */
static void
the_runtime_file_counts_only_for_the_process_that_wrote_it(void **state)
{
	(void)state;
	write_file("own-token", "own-token", 0600);
	write_file("token", "default-token", 0600);
	write_runtime_started("http://127.0.0.1:4242", getpid(), 1, 0600);
	expect_endpoint(NULL, SEVQ_OK, SEVQ_DEFAULT_URL, NULL);
	write_runtime_started("http://127.0.0.1:4242", getpid(), -1, 0600);
	expect_endpoint(NULL, SEVQ_OK, SEVQ_DEFAULT_URL, NULL);
	write_runtime("http://127.0.0.1:4242", 1, 0600);
	expect_endpoint(NULL, SEVQ_OK, SEVQ_DEFAULT_URL, NULL);
	write_file("sevqd.json", "{\"address\":\"http://127.0.0.1:1\",\"pid\":1}", 0600);
	expect_endpoint(NULL, SEVQ_OK, SEVQ_DEFAULT_URL, NULL);
}

static void
explicit_settings_overrule_the_runtime_file(void **state)
{
	struct sevq_connect_options options = { .base_url = "http://127.0.0.1:1",
						.token = "named" };
	struct sevq_connect_options file = { .token_file = NULL };
	char path[128];

	(void)state;
	write_file("own-token", "own-token", 0600);
	write_runtime("http://127.0.0.1:4242", getpid(), 0600);
	setenv("SEVQ_URL", "https://queue.example/x", 1);
	expect_endpoint(NULL, SEVQ_OK, "https://queue.example/x", NULL);
	snprintf(path, sizeof(path), "%s/sevq/own-token", home);
	setenv("SEVQ_TOKEN_FILE", path, 1);
	expect_endpoint(NULL, SEVQ_OK, "https://queue.example/x", "own-token");
	setenv("SEVQ_TOKEN", "from-environment", 1);
	expect_endpoint(NULL, SEVQ_OK, "https://queue.example/x", "from-environment");
	file.token_file = path;
	expect_endpoint(&file, SEVQ_OK, "https://queue.example/x", "own-token");
	expect_endpoint(&options, SEVQ_OK, "http://127.0.0.1:1", "named");
	setenv("SEVQ_URL", "", 1); /* an empty value counts as not set */
	setenv("SEVQ_TOKEN", "", 1);
	setenv("SEVQ_TOKEN_FILE", "", 1);
	expect_endpoint(NULL, SEVQ_OK, "http://127.0.0.1:4242", "own-token");
}

static void
files_that_others_can_write_or_read_are_refused(void **state)
{
	struct sevq_connect_options file = { 0 };
	char path[128], link[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/sevq/own-token", home);
	snprintf(link, sizeof(link), "%s/sevq/link", home);
	write_file("own-token", "own-token", 0640);
	file.token_file = path;
	expect_endpoint(&file, SEVQ_CONFIGURATION, NULL, NULL);
	write_file("own-token", "own-token", 0600);
	expect_endpoint(&file, SEVQ_OK, SEVQ_DEFAULT_URL, "own-token");
	file.token_file = home; /* a directory */
	expect_endpoint(&file, SEVQ_CONFIGURATION, NULL, NULL);
	write_runtime("http://127.0.0.1:4242", getpid(), 0622);
	expect_endpoint(NULL, SEVQ_CONFIGURATION, NULL, NULL);
	write_runtime("http://127.0.0.1:4242", getpid(), 0644);
	expect_endpoint(NULL, SEVQ_OK, "http://127.0.0.1:4242", "own-token");
	snprintf(path, sizeof(path), "%s/sevq/sevqd.json", home);
	assert_int_equal(rename(path, link), 0);
	assert_int_equal(symlink(link, path), 0);
	expect_endpoint(NULL, SEVQ_CONFIGURATION, NULL, NULL);
}

static void
a_damaged_runtime_file_is_an_error(void **state)
{
	static const char *const damaged[] = {
		"",
		"{",
		"[]",
		"{\"address\":1,\"pid\":1}",
		"{\"address\":\"http://127.0.0.1:1\"}",
		"{\"address\":\"http://127.0.0.1:1\",\"pid\":0}",
		"{\"address\":\"http://127.0.0.1:1\",\"pid\":-1}",
		"{\"address\":\"http://127.0.0.1:1\",\"pid\":1,\"tokenFile\":\"relative\"}",
		"{\"address\":\"gopher://x\",\"pid\":1}",
		"{\"address\":\"http://127.0.0.1:1\",\"pid\":1} x"
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(damaged); i++) {
		write_file("sevqd.json", damaged[i], 0600);
		expect_endpoint(NULL, SEVQ_CONFIGURATION, NULL, NULL);
	}
}

static void
a_token_is_one_visible_word(void **state)
{
	static const char *const bad[] = { "",         " ",        "two words", "line\nfeed",
					   "ctrl\x01", "\xc3\xa9", "del\x7f" };
	struct sevq_connect_options options = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		options.token = bad[i];
		expect_endpoint(&options, SEVQ_CONFIGURATION, NULL, NULL);
	}
	options.token = "\t a.B-c~1/+= \r\n";
	expect_endpoint(&options, SEVQ_OK, SEVQ_DEFAULT_URL, "a.B-c~1/+=");
}

static void
the_first_token_of_a_token_file_is_used(void **state)
{
	static const struct {
		const char *text, *token; /* token NULL: refused */
	} cases[] = {
		{ "one", "one" },
		{ "# a comment\n\n  #another\none produce,read\ntwo\n", "one" },
		{ "\r\none\tadmin\r\n", "one" },
		{ "", NULL },
		{ "# only a comment", NULL },
		{ "caf\xc3\xa9", NULL },
	};
	size_t i;

	(void)state;
	write_runtime("http://127.0.0.1:4242", getpid(), 0600);
	for (i = 0; i < COUNT(cases); i++) {
		write_file("own-token", cases[i].text, 0600);
		expect_endpoint(NULL, cases[i].token != NULL ? SEVQ_OK : SEVQ_CONFIGURATION,
				"http://127.0.0.1:4242", cases[i].token);
	}
}

/* --- requests --- */

static void
expect_body(struct sevq_request *request, const char *want)
{
	char *got = cJSON_PrintUnformatted(request->body);

	assert_false(request->failed);
	assert_string_equal(got, want);
	cJSON_free(got);
}

static const struct sevq_draft full_draft = {
	.size = sizeof(struct sevq_draft),
	.address = { "agent:a:main", "a", "telegram", "default", NULL },
	.text = "quo\"ted \xc3\xa9 \n",
	.context_key = "c",
	.source = "hook",
	.delivery = { "telegram", "123", NULL, "7" },
	.wake = SEVQ_WAKE_NOW,
	.replace = true,
	.allow_duplicate = true,
	.traceparent = "00-x",
	.delay_ms = 5,
	.ttl_ms = 31536000000,
	.idempotency_key = "k\xc3\xa9",
};

static void
a_draft_sends_only_the_fields_that_are_set(void **state)
{
	struct sevq_draft draft;
	struct sevq_request request;

	(void)state;
	sevq_draft_init(&draft);
	draft.text = "x";
	sevq_request_init(&request, "POST", "/v1/events");
	sevq_request_draft(&request, &draft);
	expect_body(&request, "{\"text\":\"x\"}");
	assert_false(request.repeatable);
	sevq_request_clear(&request);

	sevq_request_init(&request, "POST", "/v1/events");
	sevq_request_draft(&request, &full_draft);
	expect_body(&request,
		    "{\"sessionKey\":\"agent:a:main\",\"agentId\":\"a\",\"channel\":\"telegram\","
		    "\"accountId\":\"default\","
		    "\"text\":\"quo\\\"ted \xc3\xa9 \\n\",\"contextKey\":\"c\",\"source\":\"hook\","
		    "\"deliveryContext\":{\"channel\":\"telegram\",\"to\":\"123\",\"threadId\":"
		    "\"7\"},\"wake\":\"now\",\"replace\":true,"
		    "\"allowDuplicate\":true,\"traceparent\":\"00-x\",\"delayMs\":5,\"ttlMs\":"
		    "31536000000,\"idempotencyKey\":"
		    "\"k\xc3\xa9\"}");
	assert_true(request.repeatable); /* because of its key */
	sevq_request_clear(&request);
}

static void
a_batch_is_a_list_of_drafts(void **state)
{
	struct sevq_draft draft;
	struct sevq_request request;

	(void)state;
	sevq_draft_init(&draft);
	sevq_request_init(&request, "POST", "/v1/events");
	draft.text = "1";
	sevq_request_batch_draft(&request, &draft);
	draft.text = "2";
	draft.wake = SEVQ_WAKE_NEXT_HEARTBEAT;
	sevq_request_batch_draft(&request, &draft);
	expect_body(&request,
		    "{\"events\":[{\"text\":\"1\"},{\"text\":\"2\",\"wake\":\"next-heartbeat\"}]}");
	sevq_request_clear(&request);
}

static void
ids_are_escaped_in_a_path_and_listed_in_a_body(void **state)
{
	static const char *const ids[] = { "1", "a\"b" };
	struct sevq_request request;

	(void)state;
	sevq_request_init(&request, "GET", "/v1/events");
	sevq_request_segment(&request, "../x?y");
	assert_string_equal(request.target.data, "/v1/events/..%2Fx%3Fy");
	assert_true(request.repeatable);
	assert_null(request.body);
	sevq_request_clear(&request);

	sevq_request_init(&request, "POST", "/v1/consume");
	sevq_request_texts(&request, "ids", ids, 2);
	expect_body(&request, "{\"ids\":[\"1\",\"a\\\"b\"]}");
	assert_false(request.repeatable);
	sevq_request_clear(&request);
}

static void
an_idempotency_key_becomes_a_header_and_makes_repeatable(void **state)
{
	struct sevq_request request;

	(void)state;
	sevq_request_init(&request, "POST", "/v1/drain");
	assert_false(request.repeatable);
	sevq_request_idempotency(&request, "a \"b\" \\ %s");
	assert_string_equal(sevq_buffer_text(&request.header),
			    "Idempotency-Key: \"a \\\"b\\\" \\\\ %s\"");
	assert_true(request.repeatable);
	sevq_request_clear(&request);
}

static void
a_batch_is_repeatable_when_every_draft_has_a_key(void **state)
{
	static const char *const keys[][3] = {
		{ "a", "b", "c" }, { NULL, "b", "c" }, { "a", NULL, "c" }, { "a", "b", NULL }
	};
	struct sevq_request request;
	struct sevq_draft draft;
	size_t i, k;

	(void)state;
	for (i = 0; i < COUNT(keys); i++) {
		sevq_request_init(&request, "POST", "/v1/events");
		for (k = 0; k < 3; k++) {
			sevq_draft_init(&draft);
			draft.text = "x";
			draft.idempotency_key = keys[i][k];
			sevq_request_batch_draft(&request, &draft);
		}
		assert_int_equal(request.repeatable, i == 0);
		sevq_request_clear(&request);
	}
}

/* --- server-sent events --- */

/* Records each event as "name,id,data;"; stops the stream on data "stop". */
static bool
note_event(const struct sevq_sse_event *event, void *arg)
{
	sevq_buffer_addf(arg, "%s,%s,%s;", event->name, event->id, event->data);
	return strcmp(event->data, "stop") != 0;
}

static void
a_stream_is_parsed_the_same_however_it_is_cut(void **state)
{
	static const char text[] =
	    "retry: 5\n\n: a comment\n:\n\nid: 7\nevent: wake\ndata: "
	    "one\n\ndata:two\r\ndata\r\ndata:  three\r\n\r\n"
	    "event: x\rdata: y\r\revent: none\n\nnonsense\nid\ndata: z\n\ndata: unfinished\n";
	size_t first, second;

	(void)state;
	for (first = 0; first < sizeof(text); first++) {
		for (second = first; second < sizeof(text); second++) {
			struct sevq_buffer heard = { 0 };
			struct sevq_sse sse = { .on_event = note_event, .arg = &heard };

			assert_true(sevq_sse_feed(&sse, text, first));
			assert_true(sevq_sse_feed(&sse, text + first, second - first));
			assert_true(sevq_sse_feed(&sse, text + second, sizeof(text) - 1 - second));
			assert_string_equal(sevq_buffer_text(&heard),
					    "wake,7,one;message,7,two\n\n three;x,7,y;message,,z;");
			sevq_sse_clear(&sse);
			sevq_buffer_clear(&heard);
		}
	}
}

static void
a_stopped_or_oversized_stream_takes_no_more_bytes(void **state)
{
	static char lines[SEVQ_SSE_BYTES_MAX + 8];
	struct sevq_buffer heard = { 0 };
	struct sevq_sse sse = { .on_event = note_event, .arg = &heard };

	(void)state;
	assert_false(sevq_sse_feed(&sse, "data: stop\n\ndata: more\n\n", 25));
	assert_string_equal(sevq_buffer_text(&heard), "message,,stop;");
	sevq_sse_clear(&sse);
	memset(&sse, 0, sizeof(sse));
	memset(lines, 'x', sizeof(lines));
	assert_true(sevq_sse_feed(&sse, lines, SEVQ_SSE_BYTES_MAX));
	assert_false(sevq_sse_feed(&sse, lines, 1));
	sevq_sse_clear(&sse);
	sevq_buffer_clear(&heard);
}

/* --- arguments --- */

static void
structs_of_other_versions_are_recognised(void **state)
{
	struct {
		struct sevq_draft draft;
		char newer[64];
	} larger;
	struct sevq_connect_options options;
	struct sevq_client *client;

	(void)state;
	sevq_connect_options_init(&options);
	/* nobody listens there: a call that is sent ends as unreachable */
	options.base_url = "http://127.0.0.1:1";
	options.token = "t";
	assert_int_equal(sevq_connect(&options, &client), SEVQ_OK);

	memset(&larger, 0, sizeof(larger));
	larger.draft.text = "x";
	/* size 0: not initialised */
	assert_int_equal(sevq_enqueue(client, &larger.draft, NULL), SEVQ_INVALID_ARGUMENT);
	assert_int_equal(sevq_error_code(client), SEVQ_INVALID_ARGUMENT);
	larger.draft.size = sizeof(larger);
	/* a newer struct, but its new fields are not set */
	assert_int_equal(sevq_enqueue(client, &larger.draft, NULL), SEVQ_UNREACHABLE);
	larger.newer[3] = 1;
	assert_int_equal(sevq_enqueue(client, &larger.draft, NULL), SEVQ_INVALID_ARGUMENT);
	larger.newer[3] = 0;
	larger.draft.size = offsetof(struct sevq_draft, traceparent);
	larger.draft.traceparent = "behind what this version knows";
	larger.draft.delay_ms = -1;
	assert_int_equal(sevq_enqueue(client, &larger.draft, NULL), SEVQ_UNREACHABLE);
	sevq_close(client);
}

static void
invalid_arguments_are_refused_before_anything_is_sent(void **state)
{
	struct sevq_connect_options options;
	const char *missing[] = { NULL };
	struct sevq_client *client;
	struct sevq_draft draft;

	(void)state;
	sevq_connect_options_init(&options);
	options.base_url = "http://127.0.0.1:1";
	assert_int_equal(sevq_connect(&options, &client), SEVQ_OK);
	sevq_draft_init(&draft);
	assert_int_equal(sevq_enqueue(client, NULL, NULL), SEVQ_INVALID_ARGUMENT);
	assert_int_equal(sevq_enqueue(client, &draft, NULL), SEVQ_INVALID_ARGUMENT);
	draft.text = "x";
	draft.wake = (enum sevq_wake)3;
	assert_int_equal(sevq_enqueue(client, &draft, NULL), SEVQ_INVALID_ARGUMENT);
	assert_int_equal(sevq_enqueue_batch(client, &draft, 0, NULL), SEVQ_INVALID_ARGUMENT);
	assert_int_equal(sevq_enqueue_batch(client, NULL, 1, NULL), SEVQ_INVALID_ARGUMENT);
	assert_int_equal(sevq_consume(client, NULL, missing, 1, NULL), SEVQ_INVALID_ARGUMENT);
	assert_int_equal(sevq_find(client, NULL, NULL), SEVQ_INVALID_ARGUMENT);
	assert_int_equal(sevq_withdraw(client, "", NULL), SEVQ_INVALID_ARGUMENT);
	draft.wake = SEVQ_WAKE_NOW;
	draft.delay_ms = -1;
	assert_int_equal(sevq_enqueue(client, &draft, NULL), SEVQ_INVALID_ARGUMENT);
	assert_string_equal(sevq_last_answer(client, NULL), "");
	sevq_close(client);
}

static bool
ignore_wake(const struct sevq_wakeup *wakeup, void *arg)
{
	(void)wakeup, (void)arg;
	return true;
}

static void
invalid_leases_and_streams_are_refused(void **state)
{
	static const char *const bad_keys[] = { "", "\xc3\xa9", "line\nfeed", "del\x7f" };
	struct sevq_connect_options options;
	const char *missing[] = { NULL };
	struct sevq_client *client;
	struct sevq_lease_options lease;
	struct sevq_nack_options nack;
	struct sevq_stream_options stream;
	struct sevq_requeue_options requeue;
	struct sevq_discard_options discard;
	char long_key[258];
	size_t i;

	(void)state;
	sevq_connect_options_init(&options);
	options.base_url = "http://127.0.0.1:1";
	assert_int_equal(sevq_connect(&options, &client), SEVQ_OK);
	sevq_lease_options_init(&lease);
	for (i = 0; i < COUNT(bad_keys); i++) {
		lease.idempotency_key = bad_keys[i];
		assert_int_equal(sevq_lease(client, NULL, &lease, NULL), SEVQ_INVALID_ARGUMENT);
	}
	memset(long_key, 'k', sizeof(long_key));
	long_key[256] = '\0';
	lease.idempotency_key = long_key;
	assert_int_equal(sevq_lease(client, NULL, &lease, NULL), SEVQ_INVALID_ARGUMENT);
	long_key[255] = '\0';
	assert_int_equal(sevq_lease(client, NULL, &lease, NULL), SEVQ_UNREACHABLE);
	lease.lease_ms = -1;
	assert_int_equal(sevq_lease(client, NULL, &lease, NULL), SEVQ_INVALID_ARGUMENT);
	assert_int_equal(sevq_ack(client, NULL, NULL, 0, NULL), SEVQ_INVALID_ARGUMENT);
	assert_int_equal(sevq_ack(client, "", NULL, 0, NULL), SEVQ_INVALID_ARGUMENT);
	assert_int_equal(sevq_ack(client, "1", missing, 1, NULL), SEVQ_INVALID_ARGUMENT);
	assert_int_equal(sevq_ack(client, "1", NULL, 1, NULL), SEVQ_INVALID_ARGUMENT);
	sevq_nack_options_init(&nack);
	nack.delay_ms = -1;
	assert_int_equal(sevq_nack(client, "1", NULL, 0, &nack, NULL), SEVQ_INVALID_ARGUMENT);
	assert_int_equal(sevq_extend(client, "1", NULL, 0, -1, NULL), SEVQ_INVALID_ARGUMENT);
	assert_int_equal(sevq_wait(client, NULL, -1, NULL), SEVQ_INVALID_ARGUMENT);
	assert_int_equal(sevq_wait(client, NULL, 300001, NULL), SEVQ_INVALID_ARGUMENT);
	sevq_stream_options_init(&stream);
	assert_int_equal(sevq_stream(client, &stream, NULL, NULL), SEVQ_INVALID_ARGUMENT);
	stream.last_event_id = "1\r\nX: y";
	assert_int_equal(sevq_stream(client, &stream, ignore_wake, NULL), SEVQ_INVALID_ARGUMENT);
	stream.last_event_id = NULL;
	assert_int_equal(sevq_stream(client, &stream, ignore_wake, NULL), SEVQ_UNREACHABLE);
	sevq_requeue_options_init(&requeue);
	/* an empty list does not mean all */
	assert_int_equal(sevq_requeue(client, &requeue, NULL), SEVQ_INVALID_ARGUMENT);
	requeue.all = true;
	requeue.address.agent_id = "a";
	assert_int_equal(sevq_requeue(client, &requeue, NULL), SEVQ_INVALID_ARGUMENT);
	sevq_discard_options_init(&discard);
	assert_int_equal(sevq_discard(client, &discard, NULL), SEVQ_INVALID_ARGUMENT);
	sevq_close(client);
}

static void
every_call_on_a_failed_context_reports_its_error(void **state)
{
	struct sevq_connect_options options;
	struct sevq_client *client;

	(void)state;
	sevq_connect_options_init(&options);
	options.base_url = "nonsense";
	assert_int_equal(sevq_connect(&options, &client), SEVQ_CONFIGURATION);
	assert_non_null(client);
	assert_int_equal(sevq_stats(client, NULL), SEVQ_CONFIGURATION);
	assert_true(sevq_error_message(client)[0] != '\0');
	sevq_close(client);
	sevq_close(NULL);
	assert_int_equal(sevq_stats(NULL, NULL), SEVQ_NO_MEMORY);
}

/* --- answers --- */

#define EVENT                                                                                      \
	"{\"id\":\"7\",\"sessionKey\":\"agent:main:main\",\"originalSessionKey\":\"k\",\"rule\":"  \
	"\"keep\",\"text\":"                                                                       \
	"\"a\\u0007\xc3\xa9\","                                                                    \
	"\"ts\":1700000000123,\"contextKey\":null,\"source\":\"hook\",\"wake\":\"now\","           \
	"\"attempts\":2,\"availableAt\":5,"                                                        \
	"\"state\":\"queued\","                                                                    \
	"\"deliveryContext\":{\"channel\":\"telegram\",\"threadId\":12},\"future\":{\"x\":[1]}}"

static void *
read_answer(const struct sevq_shape *shape, const char *text)
{
	struct sevq_error error = { 0 };
	void *answer = sevq_answer_read(shape, text, strlen(text), &error);

	assert_int_equal(error.code, SEVQ_OK);
	assert_non_null(answer);
	return answer;
}

static void
an_event_is_read_with_every_field(void **state)
{
	struct sevq_event *event = read_answer(&sevq_shape_event, "{\"event\":" EVENT "}");

	(void)state;
	assert_string_equal(event->id, "7");
	assert_string_equal(event->session_key, "agent:main:main");
	assert_string_equal(event->original_session_key, "k");
	assert_string_equal(event->rule, "keep");
	assert_string_equal(event->text, "a\a\xc3\xa9");
	assert_true(event->ts_ms == 1700000000123);
	assert_null(event->context_key);
	assert_string_equal(event->source, "hook");
	assert_string_equal(event->wake, "now");
	assert_string_equal(event->state, "queued");
	assert_null(event->traceparent);
	assert_true(event->attempts == 2 && event->available_at_ms == 5 &&
		    event->expires_at_ms == 0);
	assert_string_equal(event->delivery->channel, "telegram");
	assert_string_equal(event->delivery->thread_id, "12");
	assert_null(event->delivery->to);
	sevq_free(event);
}

static void
lists_keep_their_order(void **state)
{
	struct sevq_receipts *receipts = read_answer(
	    &sevq_shape_receipts, "{\"results\":[{\"outcome\":\"queued\",\"event\":" EVENT
				  "},{\"outcome\":\"replaced\",\"event\":" EVENT
				  "},{\"outcome\":\"duplicate\",\"event\":" EVENT "}]}");
	struct sevq_events *events =
	    read_answer(&sevq_shape_peeked, "{\"sessionKey\":\"k\",\"events\":[" EVENT
					    ",{\"id\":\"8\",\"sessionKey\":\"k\",\"text\":\"t\","
					    "\"ts\":0}],\"depth\":9,\"more\":true}");
	struct sevq_sessions *sessions = read_answer(
	    &sevq_shape_sessions,
	    "{\"sessions\":[{\"sessionKey\":\"k\",\"agentId\":\"a\",\"depth\":3,\"leased\":0,"
	    "\"delayed\":0,\"oldestTs\":1,\"newestTs\":2,"
	    "\"lastContextKey\":\"c\",\"deliveryContext\":null,\"rekeyedFrom\":[{\"key\":\"x\","
	    "\"count\":2},{\"key\":\"y\",\"count\":1}],"
	    "\"waiters\":0}],\"total\":1,\"nextCursor\":null}");

	(void)state;
	assert_int_equal(receipts->count, 3);
	assert_int_equal(receipts->receipts[0]->outcome, SEVQ_OUTCOME_QUEUED);
	assert_int_equal(receipts->receipts[1]->outcome, SEVQ_OUTCOME_REPLACED);
	assert_int_equal(receipts->receipts[2]->outcome, SEVQ_OUTCOME_DUPLICATE);
	assert_int_equal(events->count, 2);
	assert_string_equal(events->events[0]->id, "7");
	assert_string_equal(events->events[1]->id, "8");
	assert_true(events->depth == 9 && events->more);
	assert_true(sessions->count == 1 && sessions->total == 1 && sessions->next_cursor == NULL);
	assert_string_equal(sessions->sessions[0]->last_context_key, "c");
	assert_null(sessions->sessions[0]->delivery);
	assert_int_equal(sessions->sessions[0]->rekeyed_from_count, 2);
	assert_string_equal(sessions->sessions[0]->rekeyed_from[1]->key, "y");
	sevq_free(receipts);
	sevq_free(events);
	sevq_free(sessions);
	sevq_free(NULL);
}

static void
answers_about_leases_and_history_are_read(void **state)
{
	struct sevq_lease *none = read_answer(
	    &sevq_shape_lease, "{\"leaseId\":null,\"sessionKey\":\"k\",\"expiresAt\":null,"
			       "\"events\":[],\"remaining\":3,\"block\":null}");
	struct sevq_lease_change *nacked = read_answer(
	    &sevq_shape_nacked, "{\"leaseId\":\"7\",\"nacked\":3,\"dead\":1,\"remaining\":2}");
	struct sevq_lease_change *acked =
	    read_answer(&sevq_shape_acked,
			"{\"leaseId\":\"7\",\"acked\":1,\"remaining\":0,\"gone\":[\"3\",\"5\"]}");
	struct sevq_story *story =
	    read_answer(&sevq_shape_story,
			"{\"event\":" EVENT ",\"timeline\":[{\"ts\":1,\"what\":\"queued\","
			"\"originalSessionKey\":\"o\",\"rule\":\"keep\"},{\"ts\":2,\"what\":"
			"\"leased\",\"leaseId\":\"7\",\"until\":9,\"detail\":\"me\",\"times\":3}],"
			"\"nextCursor\":\"8\"}");
	struct sevq_history *history = read_answer(
	    &sevq_shape_history, "{\"events\":[{\"event\":" EVENT ",\"outcome\":{\"what\":\"dead\","
				 "\"ts\":5,\"detail\":\"exit 3\"}}],\"nextCursor\":\"c\"}");

	(void)state;
	assert_true(none->lease_id == NULL && none->count == 0 && none->remaining == 3 &&
		    none->expires_at_ms == 0);
	assert_true(nacked->changed == 3 && nacked->dead == 1 && nacked->remaining == 2);
	assert_true(nacked->gone == NULL && nacked->gone_count == 0);
	assert_int_equal(acked->gone_count, 2);
	assert_string_equal(acked->gone[1], "5");
	sevq_free(acked);
	assert_int_equal(story->timeline_count, 2);
	assert_string_equal(story->timeline[0]->original_session_key, "o");
	assert_true(story->timeline[1]->until_ms == 9);
	assert_string_equal(story->timeline[1]->detail, "me");
	assert_true(story->timeline[0]->times == 0 && story->timeline[1]->times == 3);
	assert_string_equal(story->next_cursor, "8");
	assert_string_equal(history->events[0]->outcome->detail, "exit 3");
	assert_string_equal(history->next_cursor, "c");
	sevq_free(none);
	sevq_free(nacked);
	sevq_free(story);
	sevq_free(history);
}

static void
counters_are_read_unchanged(void **state)
{
	char *text = read_answer(&sevq_shape_text, "{\"pending\": 1} ");

	(void)state;
	assert_string_equal(text, "{\"pending\": 1} ");
	sevq_free(text);
}

static void
malformed_answers_are_refused(void **state)
{
	/* clang-format off */
	static const struct {
		const struct sevq_shape *shape;
		const char *text;
	} cases[] = {
		{ &sevq_shape_taken, "" },
		{ &sevq_shape_taken, "null" },
		{ &sevq_shape_taken, "[]" },
		{ &sevq_shape_taken, "{}" },
		{ &sevq_shape_taken, "{\"sessionKey\":\"k\",\"events\":[],\"remaining\":0" },
		{ &sevq_shape_taken, "{\"sessionKey\":\"k\",\"events\":[],\"remaining\":0} x" },
		{ &sevq_shape_taken, "{\"sessionKey\":\"k\",\"events\":[],\"remaining\":0}{}" },
		{ &sevq_shape_taken, "{\"SessionKey\":\"k\",\"events\":[],\"remaining\":0}" },
		{ &sevq_shape_taken, "{\"sessionKey\":1,\"events\":[],\"remaining\":0}" },
		{ &sevq_shape_taken, "{\"sessionKey\":null,\"events\":[],\"remaining\":0}" },
		{ &sevq_shape_taken, "{\"sessionKey\":\"k\",\"events\":{},\"remaining\":0}" },
		{ &sevq_shape_taken, "{\"sessionKey\":\"k\",\"events\":[1],\"remaining\":0}" },
		{ &sevq_shape_taken, "{\"sessionKey\":\"k\",\"events\":[{}],\"remaining\":0}" },
		{ &sevq_shape_taken, "{\"sessionKey\":\"k\",\"events\":[],\"remaining\":-1}" },
		{ &sevq_shape_taken, "{\"sessionKey\":\"k\",\"events\":[],\"remaining\":0.5}" },
		{ &sevq_shape_taken, "{\"sessionKey\":\"k\",\"events\":[],\"remaining\":1e30}" },
		{ &sevq_shape_taken, "{\"sessionKey\":\"k\",\"events\":[],\"remaining\":\"0\"}" },
		{ &sevq_shape_peeked, "{\"sessionKey\":\"k\",\"events\":[],\"depth\":0,\"more\":0}" },
		{ &sevq_shape_peeked, "{\"sessionKey\":\"k\",\"events\":[],\"depth\":0}" },
		{ &sevq_shape_receipt, "{\"outcome\":\"lost\",\"event\":" EVENT "}" },
		{ &sevq_shape_receipt, "{\"outcome\":1,\"event\":" EVENT "}" },
		{ &sevq_shape_receipt, "{\"outcome\":\"queued\",\"event\":[]}" },
		{ &sevq_shape_receipt, "{\"outcome\":\"queued\"}" },
		{ &sevq_shape_event, EVENT },
		{ &sevq_shape_event, "{\"event\":{\"id\":\"8\",\"sessionKey\":\"k\",\"text\":\"t\",\"ts\":\"0\"}}" },
		{ &sevq_shape_event, "{\"event\":{\"id\":\"8\",\"sessionKey\":\"k\",\"text\":\"t\",\"ts\":1e17}}" },
		{ &sevq_shape_event, "{\"event\":{\"id\":\"8\",\"sessionKey\":\"k\",\"text\":\"t\",\"ts\":0,\"deliveryContext\":\"x\"}}" },
		{ &sevq_shape_event, "{\"event\":{\"id\":\"8\",\"sessionKey\":\"k\",\"text\":\"t\",\"ts\":0,\"deliveryContext\":{\"to\":5}}}" },
		{ &sevq_shape_lease, "{\"leaseId\":7,\"sessionKey\":\"k\",\"expiresAt\":1,\"events\":[],\"remaining\":0}" },
		{ &sevq_shape_acked, "{\"leaseId\":\"7\",\"nacked\":1,\"dead\":0,\"remaining\":0}" },
		{ &sevq_shape_extended, "{\"leaseId\":\"7\",\"extended\":1,\"remaining\":0}" },
		{ &sevq_shape_ready, "{\"sessionKey\":\"k\",\"ready\":1,\"depth\":0}" },
		{ &sevq_shape_wakeup, "{\"sessionKey\":\"k\",\"depth\":1,\"ts\":1}" },
		{ &sevq_shape_story, "{\"event\":" EVENT ",\"timeline\":[{\"ts\":1}]}" },
		{ &sevq_shape_history, "{\"events\":[{\"event\":" EVENT "}],\"nextCursor\":null}" },
		{ &sevq_shape_discarded, "{\"discarded\":1,\"passedOver\":0,\"more\":false}" },
		{ &sevq_shape_requeued, "{\"requeued\":1,\"passedOver\":0,\"more\":false}" },
		{ &sevq_shape_text, "\"text\"" },
		{ &sevq_shape_text, "{\"a\":" },
	};
	/* clang-format on */
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct sevq_error error = { 0 };

		assert_null(
		    sevq_answer_read(cases[i].shape, cases[i].text, strlen(cases[i].text), &error));
		assert_int_equal(error.code, SEVQ_BAD_ANSWER);
		assert_true(error.message[0] != '\0');
	}
}

static void
an_answer_cut_anywhere_is_refused(void **state)
{
	static const char text[] = "{\"sessionKey\":\"k\",\"events\":[" EVENT "],\"remaining\":12}";
	size_t len;

	(void)state;
	for (len = 0; len < sizeof(text) - 1; len++) {
		struct sevq_error error = { 0 };
		/* in memory of its exact size, so that the sanitizers see a read past its end */
		char *cut = malloc(len + 1);

		memcpy(cut, text, len);
		assert_null(sevq_answer_read(&sevq_shape_taken, cut, len, &error));
		assert_int_equal(error.code, SEVQ_BAD_ANSWER);
		free(cut);
	}
}

static void
problems_become_codes_and_messages(void **state)
{
	static const struct {
		const char *text;
		enum sevq_code code;
		const char *message;
	} cases[] = {
		{ "{\"code\":\"queue-full\",\"detail\":\"the session is full\"}", SEVQ_QUEUE_FULL,
		  "the session is full" },
		{ "{\"code\":\"invalid-field\",\"detail\":\"2 fields are "
		  "wrong\",\"errors\":[{\"pointer\":\"/text\",\"detail\":\"is blank\"},1,"
		  "{\"pointer\":\"/x\"},{\"pointer\":\"/y\",\"detail\":\"no such field\"}]}",
		  SEVQ_INVALID_FIELD, "text is blank; y: no such field" },
		{ "{\"code\":\"invalid-field\",\"detail\":\"odd\",\"errors\":[]}",
		  SEVQ_INVALID_FIELD, "odd" },
		{ "{\"code\":\"from-the-future\",\"detail\":\"odd\"}", SEVQ_PROBLEM,
		  "odd (from-the-future)" },
		/* names of client errors are not names of the server's */
		{ "{\"code\":\"lost\",\"detail\":\"odd\"}", SEVQ_PROBLEM, "odd (lost)" },
		{ "{\"code\":\"closing\",\"title\":\"Closing\"}", SEVQ_CLOSING, "Closing" },
		{ "{\"code\":\"closing\"}", SEVQ_CLOSING, "closing" },
		{ "{\"code\":1}", SEVQ_BAD_ANSWER,
		  "the answer is not a problem as sevqd writes it" },
		{ "{\"detail\":\"x\"}", SEVQ_BAD_ANSWER,
		  "the answer is not a problem as sevqd writes it" },
		{ "{", SEVQ_BAD_ANSWER, "the answer is not a problem as sevqd writes it" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct sevq_error error = { 0 };

		assert_int_equal(sevq_answer_problem(cases[i].text, strlen(cases[i].text), &error),
				 cases[i].code);
		assert_int_equal(error.code, cases[i].code);
		assert_string_equal(error.message, cases[i].message);
	}
}

static void
a_long_message_is_cut_between_characters(void **state)
{
	struct sevq_error error = { 0 };
	/* so that the limit falls within a character */
	char text[SEVQ_MESSAGE_BYTES * 2] = "xx";
	size_t i;

	(void)state;
	for (i = 2; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 3);
	sevq_error_set(&error, SEVQ_LOST, "%s", text);
	assert_true(strlen(error.message) < SEVQ_MESSAGE_BYTES);
	assert_int_equal(strlen(error.message) % 2, 0);
	assert_memory_equal(error.message, text, strlen(error.message));
}

static void
every_code_has_a_name_and_a_fixed_retryability(void **state)
{
	int code;

	(void)state;
	for (code = SEVQ_PROBLEM + 1; code <= SEVQ_CLOSING; code++) {
		assert_string_not_equal(sevq_code_name((enum sevq_code)code), "unknown");
		assert_int_equal(sevq_code_find(sevq_code_name((enum sevq_code)code)), code);
	}
	assert_string_equal(sevq_code_name((enum sevq_code)99), "unknown");
	assert_true(sevq_code_retryable(SEVQ_QUEUE_FULL) && sevq_code_retryable(SEVQ_UNREACHABLE));
	assert_false(sevq_code_retryable(SEVQ_LOST) || sevq_code_retryable(SEVQ_TIMED_OUT) ||
		     sevq_code_retryable(SEVQ_OK));
}

/* --- no memory --- */

/*
 * Lets the 1st, 2nd, ... allocation fail until `try` succeeds; each failure must be SEVQ_NO_MEMORY.
 */
static void run_out_everywhere(enum sevq_code (*try)(void))
{
	enum sevq_code code;
	int k = 0;

	hook_cjson();
	do {
		allocations_left = k++;
		code = try();
		allocations_left = -1;
		assert_true(code == SEVQ_OK || code == SEVQ_NO_MEMORY || code == SEVQ_BAD_ANSWER);
		assert_true(k < 1000);
	} while (code != SEVQ_OK);
	cJSON_InitHooks(NULL);
	assert_true(k > 3);
}

static enum sevq_code
try_request(void)
{
	static const char *const ids[] = { "1", "2" };
	struct sevq_request request;
	bool failed;

	sevq_request_init(&request, "POST", "/v1/events");
	if (!request.failed) {
		sevq_request_batch_draft(&request, &full_draft);
		sevq_request_texts(&request, "ids", ids, 2);
		sevq_request_number(&request, "limit", 3);
		sevq_request_true(&request, "all", true);
		sevq_request_false(&request, "countAttempt");
		sevq_request_idempotency(&request, "k");
	}
	sevq_request_address_query(&request, &full_draft.address);
	failed = request.failed || request.target.failed || request.header.failed;
	if (!failed)
		assert_int_equal(
		    cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(request.body, "ids")), 2);
	sevq_request_clear(&request);
	return failed ? SEVQ_NO_MEMORY : SEVQ_OK;
}

static enum sevq_code
try_answer(void)
{
	static const char text[] = "{\"sessionKey\":\"k\",\"events\":[" EVENT "],\"remaining\":12}";
	struct sevq_error error = { 0 };

	sevq_free(sevq_answer_read(&sevq_shape_taken, text, sizeof(text) - 1, &error));
	return error.code;
}

static enum sevq_code
try_stream(void)
{
	static const char text[] = "id: 7\nevent: wake\ndata: one\ndata: two\n\n";
	char heard_memory[64];
	/* the last run, in which no allocation fails */
	struct sevq_buffer heard = { .data = heard_memory, .cap = sizeof(heard_memory) };
	struct sevq_sse sse = { .on_event = note_event, .arg = &heard };
	bool fed = sevq_sse_feed(&sse, text, sizeof(text) - 1);

	if (fed)
		assert_string_equal(heard.data, "wake,7,one\ntwo;");
	sevq_sse_clear(&sse);
	return fed ? SEVQ_OK : SEVQ_NO_MEMORY;
}

static enum sevq_code
try_endpoint(void)
{
	static const struct sevq_connect_options options = { .base_url = "unix:/run/sevq.sock",
							     .token = "t" };
	struct sevq_error error = { 0 };
	struct sevq_endpoint endpoint;

	if (sevq_endpoint_find(&options, &endpoint, &error) == SEVQ_OK)
		sevq_endpoint_clear(&endpoint);
	return error.code;
}

static void
running_out_of_memory_is_an_error_code(void **state)
{
	(void)state;
	run_out_everywhere(try_request);
	run_out_everywhere(try_answer);
	run_out_everywhere(try_endpoint);
	run_out_everywhere(try_stream);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base_urls_are_read_or_refused),
		cmocka_unit_test(a_password_in_a_url_is_not_repeated_in_the_message),
		cmocka_unit_test(everything_but_unreserved_characters_is_escaped),
		cmocka_unit_test(a_query_joins_what_is_given),
		cmocka_unit_test_setup_teardown(with_nothing_there_the_default_address_and_no_token,
						make_home, remove_home),
		cmocka_unit_test_setup_teardown(
		    the_token_goes_to_every_listener_of_the_server_and_to_no_other, make_home,
		    remove_home),
		cmocka_unit_test_setup_teardown(a_server_without_tokens_is_given_none, make_home,
						remove_home),
		cmocka_unit_test_setup_teardown(
		    the_runtime_file_counts_only_for_the_process_that_wrote_it, make_home,
		    remove_home),
		cmocka_unit_test_setup_teardown(without_a_running_server_nobody_is_given_a_token,
						make_home, remove_home),
		cmocka_unit_test_setup_teardown(a_running_server_is_found_with_its_token, make_home,
						remove_home),
		cmocka_unit_test_setup_teardown(the_runtime_file_of_a_dead_server_is_ignored,
						make_home, remove_home),
		cmocka_unit_test_setup_teardown(explicit_settings_overrule_the_runtime_file,
						make_home, remove_home),
		cmocka_unit_test_setup_teardown(files_that_others_can_write_or_read_are_refused,
						make_home, remove_home),
		cmocka_unit_test_setup_teardown(a_damaged_runtime_file_is_an_error, make_home,
						remove_home),
		cmocka_unit_test_setup_teardown(a_token_is_one_visible_word, make_home,
						remove_home),
		cmocka_unit_test_setup_teardown(the_first_token_of_a_token_file_is_used, make_home,
						remove_home),
		cmocka_unit_test(a_draft_sends_only_the_fields_that_are_set),
		cmocka_unit_test(a_batch_is_a_list_of_drafts),
		cmocka_unit_test(ids_are_escaped_in_a_path_and_listed_in_a_body),
		cmocka_unit_test(an_idempotency_key_becomes_a_header_and_makes_repeatable),
		cmocka_unit_test(a_batch_is_repeatable_when_every_draft_has_a_key),
		cmocka_unit_test(a_stream_is_parsed_the_same_however_it_is_cut),
		cmocka_unit_test(a_stopped_or_oversized_stream_takes_no_more_bytes),
		cmocka_unit_test_setup_teardown(structs_of_other_versions_are_recognised, make_home,
						remove_home),
		cmocka_unit_test_setup_teardown(
		    invalid_arguments_are_refused_before_anything_is_sent, make_home, remove_home),
		cmocka_unit_test_setup_teardown(invalid_leases_and_streams_are_refused, make_home,
						remove_home),
		cmocka_unit_test_setup_teardown(every_call_on_a_failed_context_reports_its_error,
						make_home, remove_home),
		cmocka_unit_test(an_event_is_read_with_every_field),
		cmocka_unit_test(lists_keep_their_order),
		cmocka_unit_test(answers_about_leases_and_history_are_read),
		cmocka_unit_test(counters_are_read_unchanged),
		cmocka_unit_test(malformed_answers_are_refused),
		cmocka_unit_test(an_answer_cut_anywhere_is_refused),
		cmocka_unit_test(problems_become_codes_and_messages),
		cmocka_unit_test(a_long_message_is_cut_between_characters),
		cmocka_unit_test(every_code_has_a_name_and_a_fixed_retryability),
		cmocka_unit_test_setup_teardown(running_out_of_memory_is_an_error_code, make_home,
						remove_home),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
