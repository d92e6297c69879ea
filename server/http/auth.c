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
#include <unistd.h>

#include "queue/clock.h"
#include "schema/text.h"
#include "server/file.h"
#include "server/http/grants.h"

#define FILE_BYTES_MAX 65536
#define CODE_BYTES 16

struct auth {
	struct token *tokens;
	size_t count, cap;
	struct arena arena;  /* what the tokens refer to */
	uint64_t generation; /* no two loads share one, nor two sets of grants; never 0 */
	struct grants grants;
};

static uint64_t
next_generation(void)
{
	static uint64_t generations;

	return ++generations;
}

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
	struct auth *auth = mem_alloc(sizeof(*auth));
	struct buf text = { 0 };
	struct error why = { 0 };
	int failed;

	auth->generation = next_generation();
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
	char token[2 * TOKEN_NEW_BYTES + 1];
	struct buf text = { 0 };
	struct stat st;
	int failed;

	*ret_made =
	    lstat(path, &st) != 0 ? errno == ENOENT : S_ISREG(st.st_mode) && st.st_size == 0;
	if (!*ret_made)
		return 0; /* whatever it is, loading judges it */
	if (token_generate(TOKEN_NEW_BYTES, token, err) != 0)
		return -1;
	buf_addf(&text, "%s\n", token);
	failed = file_replace(path, (struct str){ text.data, text.len }, err);
	buf_clear(&text);
	return failed;
}

/* All that the line of a token says, with the scopes of its other lines. False: it is not known. */
static bool
find_line(const struct auth *auth, const unsigned char digest[TOKEN_DIGEST_BYTES],
	  struct token *ret)
{
	*ret = (struct token){ .scopes = 0 };
	for (size_t i = 0; i < auth->count; i++) {
		const struct token *known = &auth->tokens[i];

		if (token_digest_eq(digest, known->digest)) {
			unsigned scopes = ret->scopes | known->scopes;

			*ret = *known;
			ret->scopes = scopes;
		}
	}
	return ret->scopes != 0;
}

/* A token that was passed on is the one that it comes from, for less and not as long. */
static bool
find_grant(const struct auth *auth, const unsigned char digest[TOKEN_DIGEST_BYTES],
	   struct token *ret)
{
	const struct grant *grant = grants_find(&auth->grants, digest, clock_now().boot_ms);

	if (grant == NULL || !find_line(auth, grant->from, ret))
		return false;
	ret->scopes &= grant->scopes;
	ret->expiry.boot_ms = grant->ends_ms;
	return ret->scopes != 0;
}

static bool
find(const struct auth *auth, struct str token, struct token *ret)
{
	unsigned char digest[TOKEN_DIGEST_BYTES];

	return token_digest(token, digest) &&
	       (find_line(auth, digest, ret) || find_grant(auth, digest, ret));
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

unsigned
auth_recall(const struct auth *auth, struct auth_memo *memo, struct str token)
{
	struct token known;

	if (memo->generation == auth->generation && memo->len == token.len &&
	    CRYPTO_memcmp(memo->token, token.s, token.len) == 0)
		return expiry_is_over(memo->expiry) ? 0 : memo->scopes;
	if (!find(auth, token, &known) || expiry_is_over(known.expiry))
		return 0;
	assert(token.len <= sizeof(memo->token)); /* of any that the file may hold */
	write_key_scope(memo->key_scope, token, &known.caller);
	memo->generation = auth->generation;
	memo->scopes = known.scopes;
	memo->expiry = known.expiry;
	memo->caller = known.caller;
	memo->len = token.len;
	memcpy(memo->token, token.s, token.len);
	return known.scopes;
}

struct expiry
auth_next_expiry(const struct auth *auth)
{
	struct expiry next = { INT64_MAX, grants_next_end_ms(&auth->grants, clock_now().boot_ms) };

	for (size_t i = 0; i < auth->count; i++)
		if (!expiry_is_over(auth->tokens[i].expiry))
			next = expiry_first(next, auth->tokens[i].expiry);
	return next;
}

/* --- what a token passes on --- */

/* Makes a code or token, and its digest. */
static int
generate(size_t bytes, struct auth_granted *made, struct grant *grant, struct error *err)
{
	if (token_generate(bytes, made->text, err) != 0)
		return -1;
	return token_digest(str_of(made->text), grant->digest)
		   ? 0
		   : error_set(err, ERROR_CONFIG, "SHA-256 is not available");
}

int
auth_make_code(struct auth *auth, struct str token, unsigned scopes, struct auth_granted *ret,
	       int64_t *ret_wait_ms, struct error *err)
{
	const struct clock now = clock_now();
	struct grant code = { .scopes = scopes };
	struct token line;

	*ret_wait_ms = 0;
	if (!token_digest(token, code.from) || !find_line(auth, code.from, &line))
		return error_set(err, ERROR_FORBIDDEN,
				 "the token of a page cannot be passed on to another");
	if (generate(CODE_BYTES, ret, &code, err) != 0 ||
	    grants_add_code(&auth->grants, &code, now.boot_ms, ret_wait_ms, err) != 0)
		return -1;
	ret->scopes = scopes;
	ret->expires_ms = now.wall_ms + GRANT_CODE_MS;
	return 0;
}

int
auth_trade_code(struct auth *auth, struct str code, struct auth_granted *ret, bool *ret_one_ended,
		struct error *err)
{
	const int64_t now_ms = clock_now().boot_ms;
	unsigned char digest[TOKEN_DIGEST_BYTES];
	struct grant grant;
	struct token known;

	if (!token_digest(code, digest) || !grants_take_code(&auth->grants, digest, now_ms, &grant))
		return error_set(err, ERROR_UNAUTHORIZED,
				 "the code is not known here, was used, or is too old");
	if (!find_line(auth, grant.from, &known) || (known.scopes & grant.scopes) == 0 ||
	    expiry_is_over(known.expiry))
		return error_set(err, ERROR_UNAUTHORIZED,
				 "the token that made the code is no longer good for it");
	if (generate(TOKEN_NEW_BYTES, ret, &grant, err) != 0)
		return -1;
	*ret_one_ended = grants_add_token(&auth->grants, &grant, now_ms);
	if (*ret_one_ended)
		auth->generation = next_generation();
	find_grant(auth, grant.digest, &known);
	ret->scopes = known.scopes;
	ret->expires_ms = clock_now().wall_ms + expiry_in_ms(known.expiry);
	return 0;
}

void
auth_inherit(struct auth *auth, const struct auth *old)
{
	struct token line;

	auth->grants = old->grants;
	for (size_t i = 0; i < GRANT_CODES_MAX; i++)
		if (!find_line(auth, auth->grants.codes[i].from, &line))
			auth->grants.codes[i].ends_ms = 0;
	for (size_t i = 0; i < GRANT_TOKENS_MAX; i++)
		if (!find_line(auth, auth->grants.tokens[i].from, &line))
			auth->grants.tokens[i].ends_ms = 0;
}

void
auth_count_granted(const struct auth *auth, uint64_t *ret_codes, uint64_t *ret_tokens)
{
	const int64_t now_ms = clock_now().boot_ms;

	*ret_codes = grants_count(auth->grants.codes, GRANT_CODES_MAX, now_ms);
	*ret_tokens = grants_count(auth->grants.tokens, GRANT_TOKENS_MAX, now_ms);
}
