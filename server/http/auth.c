/*
 * auth.c - the token file, and the check of a presented token.
 */
#include "server/http/auth.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/file.h"

#define FILE_BYTES_MAX 65536
#define DIGEST_BYTES 32
#define NEW_TOKEN_BYTES 32

struct token {
	unsigned char digest[DIGEST_BYTES];
	unsigned scopes;
};

struct sevq_auth {
	struct token *tokens;
	size_t count, cap;
	uint64_t generation; /* no two loads share one; never 0 */
};

static bool
digest(struct sevq_str text, unsigned char ret[DIGEST_BYTES])
{
	return EVP_Digest(text.s, text.len, ret, NULL, EVP_sha256(), NULL) == 1;
}

/* RFC 6750 section 2.1: letters, digits, -._~+/ and = at the end. */
static bool
token_valid(struct sevq_str token)
{
	if (token.len < SEVQ_TOKEN_BYTES_MIN || token.len > SEVQ_TOKEN_BYTES_MAX)
		return false;
	while (token.len > 0 && token.s[token.len - 1] == '=')
		token.len--;
	for (size_t i = 0; i < token.len; i++) {
		unsigned char c = (unsigned char)token.s[i];

		if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') && memchr("-._~+/", c, 6) == NULL)
			return false;
	}
	return true;
}

static struct sevq_str
cut(struct sevq_str *rest, const char *separators)
{
	struct sevq_str word = { rest->s, 0 };

	while (word.len < rest->len && strchr(separators, word.s[word.len]) == NULL)
		word.len++;
	rest->s += word.len + (word.len < rest->len);
	rest->len -= word.len + (word.len < rest->len);
	return word;
}

static unsigned
scope_named(struct sevq_str name)
{
	static const struct {
		const char *name;
		unsigned scope;
	} scopes[] = { { "produce", SEVQ_SCOPE_PRODUCE },
		       { "consume", SEVQ_SCOPE_CONSUME },
		       { "read", SEVQ_SCOPE_READ },
		       { "admin", SEVQ_SCOPE_ADMIN } };

	for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++)
		if (sevq_str_eq(name, sevq_str(scopes[i].name)))
			return scopes[i].scope;
	return SEVQ_SCOPE_NONE;
}

/* TOKEN [SCOPE,...] */
static int
read_line(struct sevq_str line, struct token *ret, struct sevq_error *err)
{
	struct sevq_str token = cut(&line, " \t"), scopes = sevq_trim(line);

	if (!token_valid(token))
		return sevq_fail(err, SEVQ_CONFIG, "no token of %d to %d letters, digits and -._~+/", SEVQ_TOKEN_BYTES_MIN,
				 SEVQ_TOKEN_BYTES_MAX);
	ret->scopes = scopes.len == 0 ? SEVQ_SCOPE_ALL : SEVQ_SCOPE_NONE;
	while (scopes.len > 0) {
		unsigned scope = scope_named(sevq_trim(cut(&scopes, ",")));

		if (scope == SEVQ_SCOPE_NONE)
			return sevq_fail(err, SEVQ_CONFIG, "unknown scope; there are produce, consume, read and admin");
		ret->scopes |= scope;
	}
	return digest(token, ret->digest) ? 0 : sevq_fail(err, SEVQ_CONFIG, "SHA-256 is not available");
}

static int
read_lines(struct sevq_auth *auth, struct sevq_str text, struct sevq_error *err)
{
	for (int number = 1; text.len > 0; number++) {
		struct sevq_str line = sevq_trim(cut(&text, "\n"));

		if (line.len == 0 || line.s[0] == '#')
			continue;
		auth->tokens = sevq_grow(auth->tokens, &auth->cap, auth->count + 1, sizeof *auth->tokens);
		if (read_line(line, &auth->tokens[auth->count++], err) != 0) {
			err->line = number;
			err->column = 1;
			return -1;
		}
	}
	return auth->count > 0 ? 0 : sevq_fail(err, SEVQ_CONFIG, "holds no token");
}

/* What makes a file unfit to hold tokens, or NULL. */
static const char *
unfit(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return "cannot be looked at";
	if (!S_ISREG(st.st_mode))
		return "is no regular file";
	if (st.st_uid != geteuid())
		return "belongs to someone else";
	return (st.st_mode & 077) != 0 ? "must be for its owner alone (mode 0600)" : NULL;
}

static int
read_file(const char *path, struct sevq_buf *text, struct sevq_error *err)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK), failed;
	const char *why;

	if (fd < 0)
		return sevq_fail(err, SEVQ_CONFIG, "token file %s: %s", path,
				 errno == ELOOP ? "is a symbolic link" : strerror(errno));
	why = unfit(fd);
	failed = why != NULL ? sevq_fail(err, SEVQ_CONFIG, "token file %s: %s", path, why)
			     : sevq_file_read_open(fd, path, FILE_BYTES_MAX, text, err);
	close(fd);
	return failed;
}

int
sevq_auth_load(const char *path, struct sevq_auth **ret, struct sevq_error *err)
{
	static uint64_t generations;
	struct sevq_auth *auth = sevq_alloc(sizeof *auth);
	struct sevq_buf text = { 0 };
	struct sevq_error why = { 0 };
	int failed;

	auth->generation = ++generations;
	failed = read_file(path, &text, err);
	if (!failed && read_lines(auth, (struct sevq_str){ text.data, text.len }, &why) != 0) {
		failed = sevq_fail(err, SEVQ_CONFIG, "token file %s: %s", path, why.detail);
		err->line = why.line;
		err->column = why.column;
	}
	if (text.data != NULL)
		OPENSSL_cleanse(text.data, text.cap);
	sevq_buf_clear(&text);
	if (failed)
		sevq_auth_free(auth);
	else
		*ret = auth;
	return failed;
}

void
sevq_auth_free(struct sevq_auth *auth)
{
	if (auth != NULL)
		free(auth->tokens);
	free(auth);
}

int
sevq_auth_create(const char *path, bool *ret_made, struct sevq_error *err)
{
	unsigned char random[NEW_TOKEN_BYTES];
	struct sevq_buf text = { 0 };
	struct stat st;
	int failed;

	*ret_made = lstat(path, &st) != 0 && errno == ENOENT;
	if (!*ret_made)
		return 0; /* whatever it is, loading judges it */
	if (RAND_bytes(random, sizeof random) != 1)
		return sevq_fail(err, SEVQ_CONFIG, "no random bytes for a token");
	for (size_t i = 0; i < sizeof random; i++)
		sevq_buf_addf(&text, "%02x", random[i]);
	sevq_buf_adds(&text, "\n");
	failed = sevq_file_replace(path, (struct sevq_str){ text.data, text.len }, err);
	sevq_buf_clear(&text);
	return failed;
}

static unsigned
check(const struct sevq_auth *auth, struct sevq_str token)
{
	unsigned char given[DIGEST_BYTES];
	unsigned scopes = 0;

	if (!digest(token, given))
		return 0;
	for (size_t i = 0; i < auth->count; i++) {
		unsigned same = (unsigned)(CRYPTO_memcmp(given, auth->tokens[i].digest, DIGEST_BYTES) == 0);

		scopes |= auth->tokens[i].scopes & (0u - same);
	}
	return scopes;
}

unsigned
sevq_auth_recall(const struct sevq_auth *auth, struct sevq_auth_memo *memo, struct sevq_str token)
{
	unsigned scopes;

	if (memo->generation == auth->generation && memo->len == token.len && CRYPTO_memcmp(memo->token, token.s, token.len) == 0)
		return memo->scopes;
	scopes = check(auth, token);
	if (scopes == 0 || token.len > sizeof memo->token)
		return scopes;
	memo->generation = auth->generation;
	memo->scopes = scopes;
	memo->len = token.len;
	memcpy(memo->token, token.s, token.len);
	return scopes;
}
