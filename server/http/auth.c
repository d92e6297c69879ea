/*
 * auth.c - the token file, and the check of a presented token.
 */
#include "server/http/auth.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <unistd.h>

#include "queue/clock.h"
#include "schema/text.h"
#include "server/file.h"

#define FILE_BYTES_MAX 65536
#define NEW_TOKEN_BYTES 32

struct auth {
	struct token *tokens;
	size_t count, cap;
	struct arena arena;  /* what the tokens refer to */
	uint64_t generation; /* no two loads share one; never 0 */
};

static struct str
cut_line(struct str *rest)
{
	const char *end = memchr(rest->s, '\n', rest->len);
	struct str line = { rest->s, end != NULL ? (size_t)(end - rest->s) : rest->len };

	rest->s += line.len + (end != NULL);
	rest->len -= line.len + (end != NULL);
	return line;
}

/* The scopes of a token that stands in several lines add up; what else they say must be one. */
static int
check_twice(const struct auth *auth, struct error *err)
{
	const struct token *last = &auth->tokens[auth->count - 1];

	for (size_t i = 0; i + 1 < auth->count; i++)
		if (!(last->plain && auth->tokens[i].plain) &&
		    memcmp(last->digest, auth->tokens[i].digest, TOKEN_DIGEST_BYTES) == 0)
			return error_set(err, ERROR_CONFIG, "the token stands in two lines");
	return 0;
}

/* A token, or nothing. Also a comment has no NUL: to some readers the line would end there. */
static int
add_line(struct auth *auth, struct str line, struct error *err)
{
	const char *nul = memchr(line.s, '\0', line.len);

	if (nul != NULL) {
		error_set(err, ERROR_CONFIG, "a NUL byte");
		err->column = (int)(nul - line.s) + 1;
		return -1;
	}
	line = text_trim(line);
	if (line.len == 0 || line.s[0] == '#')
		return 0;
	auth->tokens = mem_grow(auth->tokens, &auth->cap, auth->count + 1, sizeof(*auth->tokens));
	return token_read(&auth->arena, line, &auth->tokens[auth->count++], err) != 0
		   ? -1
		   : check_twice(auth, err);
}

static int
read_lines(struct auth *auth, struct str text, struct error *err)
{
	for (int number = 1; text.len > 0; number++)
		if (add_line(auth, cut_line(&text), err) != 0) {
			err->line = number;
			err->column = err->column > 0 ? err->column : 1;
			return -1;
		}
	return auth->count > 0 ? 0 : error_set(err, ERROR_CONFIG, "holds no token");
}

/*
 * Whether systemd has made the file for us (LoadCredential): it belongs to root, with an access
 * control list for our user, which shows as a right of its group. The directory is ours alone.
 */
static bool
is_credential(const char *path)
{
	const char *dir = secure_getenv("CREDENTIALS_DIRECTORY");
	size_t len = dir != NULL ? strlen(dir) : 0;

	return len > 0 && dir[0] == '/' && strncmp(path, dir, len) == 0 && path[len] == '/' &&
	       strstr(path, "/../") == NULL;
}

/* Why the file is unfit to hold tokens; NULL: it is fit. */
static const char *
unfit(int fd, bool credential)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return "cannot be looked at";
	if (!S_ISREG(st.st_mode))
		return "is no regular file";
	if (st.st_uid != geteuid() && !(credential && st.st_uid == 0))
		return "belongs to someone else";
	if (credential)
		return (st.st_mode & 037) != 0 ? "must be mode 0440 or less" : NULL;
	return (st.st_mode & 077) != 0 ? "must be for its owner alone (mode 0600)" : NULL;
}

static int
read_file(const char *path, struct buf *text, struct error *err)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK), failed;
	const char *why;

	if (fd < 0)
		return error_set(err, ERROR_CONFIG, "token file %s: %s", path,
				 errno == ELOOP ? "is a symbolic link" : strerror(errno));
	why = unfit(fd, is_credential(path));
	failed = why != NULL ? error_set(err, ERROR_CONFIG, "token file %s: %s", path, why)
			     : file_read_open(fd, path, FILE_BYTES_MAX, text, err);
	close(fd);
	return failed;
}

int
auth_load(const char *path, struct auth **ret, struct error *err)
{
	static uint64_t generations;
	struct auth *auth = mem_alloc(sizeof(*auth));
	struct buf text = { 0 };
	struct error why = { 0 };
	int failed;

	auth->generation = ++generations;
	failed = read_file(path, &text, err);
	if (!failed && read_lines(auth, (struct str){ text.data, text.len }, &why) != 0) {
		failed = error_set(err, ERROR_CONFIG, "token file %s: %s", path, why.detail);
		err->line = why.line;
		err->column = why.column;
	}
	if (text.data != NULL)
		OPENSSL_cleanse(text.data, text.cap);
	buf_clear(&text);
	if (failed)
		auth_free(auth);
	else
		*ret = auth;
	return failed;
}

void
auth_free(struct auth *auth)
{
	if (auth == NULL)
		return;
	free(auth->tokens);
	arena_clear(&auth->arena);
	free(auth);
}

int
auth_create(const char *path, bool *ret_made, struct error *err)
{
	unsigned char random[NEW_TOKEN_BYTES];
	struct buf text = { 0 };
	struct stat st;
	int failed;

	*ret_made =
	    lstat(path, &st) != 0 ? errno == ENOENT : S_ISREG(st.st_mode) && st.st_size == 0;
	if (!*ret_made)
		return 0; /* whatever it is, loading judges it */
	if (RAND_bytes(random, sizeof(random)) != 1)
		return error_set(err, ERROR_CONFIG, "no random bytes for a token");
	for (size_t i = 0; i < sizeof(random); i++)
		buf_addf(&text, "%02x", random[i]);
	buf_adds(&text, "\n");
	failed = file_replace(path, (struct str){ text.data, text.len }, err);
	buf_clear(&text);
	return failed;
}

/* All that the line of a token says, with the scopes of its other lines. False: it is not known. */
static bool
find(const struct auth *auth, struct str token, struct token *ret)
{
	unsigned char given[TOKEN_DIGEST_BYTES];

	*ret = (struct token){ .scopes = 0 };
	if (!token_digest(token, given))
		return false;
	for (size_t i = 0; i < auth->count; i++) {
		const struct token *known = &auth->tokens[i];

		if (CRYPTO_memcmp(given, known->digest, TOKEN_DIGEST_BYTES) == 0) {
			unsigned scopes = ret->scopes | known->scopes;

			*ret = *known;
			ret->scopes = scopes;
		}
	}
	return ret->scopes != 0;
}

/*
 * The digest of its name, where it has one, which stays when the token is replaced, and of its
 * agents: nobody is shown what a namesake has done for others.
 */
static void
write_key_scope(char key_scope[TOKEN_KEY_SCOPE_BYTES], struct str token,
		const struct caller *caller)
{
	char hex[TEXT_SHA256_BYTES];
	struct buf named = { 0 };

	if (caller->name.s != NULL) {
		buf_addf(&named, "name=%.*s", (int)caller->name.len, caller->name.s);
		if (caller->agents.s != NULL) {
			buf_adds(&named, " agent=");
			buf_add(&named, caller->agents.s, caller->agents.len);
		}
		token = (struct str){ named.data, named.len };
	}
	text_sha256(token, hex);
	memcpy(key_scope, hex, TOKEN_KEY_SCOPE_BYTES);
	buf_clear(&named);
}

static bool
has_expired(int64_t expires_ms)
{
	return expires_ms != INT64_MAX && clock_now().wall_ms >= expires_ms;
}

unsigned
auth_recall(const struct auth *auth, struct auth_memo *memo, struct str token)
{
	struct token known;

	if (memo->generation == auth->generation && memo->len == token.len &&
	    CRYPTO_memcmp(memo->token, token.s, token.len) == 0)
		return has_expired(memo->expires_ms) ? 0 : memo->scopes;
	if (!find(auth, token, &known) || has_expired(known.expires_ms))
		return 0;
	assert(token.len <= sizeof(memo->token)); /* of any that the file may hold */
	write_key_scope(memo->key_scope, token, &known.caller);
	memo->generation = auth->generation;
	memo->scopes = known.scopes;
	memo->expires_ms = known.expires_ms;
	memo->caller = known.caller;
	memo->len = token.len;
	memcpy(memo->token, token.s, token.len);
	return known.scopes;
}

int64_t
auth_next_expiry_ms(const struct auth *auth)
{
	int64_t now_ms = clock_now().wall_ms, next = INT64_MAX;

	for (size_t i = 0; i < auth->count; i++)
		if (auth->tokens[i].expires_ms > now_ms && auth->tokens[i].expires_ms < next)
			next = auth->tokens[i].expires_ms;
	return next;
}
