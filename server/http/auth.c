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
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <unistd.h>

#include "server/file.h"

#define FILE_BYTES_MAX 65536
#define DIGEST_BYTES 32
#define NEW_TOKEN_BYTES 32

struct token {
	unsigned char digest[DIGEST_BYTES];
	unsigned scopes;
};

struct auth {
	struct token *tokens;
	size_t count, cap;
	uint64_t generation; /* no two loads share one; never 0 */
};

static bool
digest(struct str text, unsigned char ret[DIGEST_BYTES])
{
	return EVP_Digest(text.s, text.len, ret, NULL, EVP_sha256(), NULL) == 1;
}

/* RFC 6750 section 2.1: letters, digits, -._~+/ and = at the end. */
static bool
token_valid(struct str token)
{
	if (token.len < TOKEN_BYTES_MIN || token.len > TOKEN_BYTES_MAX)
		return false;
	while (token.len > 0 && token.s[token.len - 1] == '=')
		token.len--;
	for (size_t i = 0; i < token.len; i++) {
		unsigned char c = (unsigned char)token.s[i];

		if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') &&
		    memchr("-._~+/", c, 6) == NULL)
			return false;
	}
	return true;
}

static struct str
cut(struct str *rest, const char *separators)
{
	const size_t count = strlen(separators);
	struct str word = { rest->s, 0 };

	while (word.len < rest->len && memchr(separators, word.s[word.len], count) == NULL)
		word.len++;
	rest->s += word.len + (word.len < rest->len);
	rest->len -= word.len + (word.len < rest->len);
	return word;
}

static unsigned
scope_named(struct str name)
{
	static const struct {
		const char *name;
		unsigned scope;
	} scopes[] = { { "produce", SCOPE_PRODUCE },
		       { "consume", SCOPE_CONSUME },
		       { "read", SCOPE_READ },
		       { "admin", SCOPE_ADMIN } };

	for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++)
		if (str_eq(name, str_of(scopes[i].name)))
			return scopes[i].scope;
	return SCOPE_NONE;
}

/* TOKEN [SCOPE,...] */
static int
read_line(struct str line, struct token *ret, struct error *err)
{
	struct str token = cut(&line, " \t"), scopes = text_trim(line);

	if (!token_valid(token))
		return error_set(err, ERROR_CONFIG,
				 "no token of %d to %d letters, digits and -._~+/", TOKEN_BYTES_MIN,
				 TOKEN_BYTES_MAX);
	ret->scopes = scopes.len == 0 ? SCOPE_ALL : SCOPE_NONE;
	while (scopes.len > 0) {
		unsigned scope = scope_named(text_trim(cut(&scopes, ",")));

		if (scope == SCOPE_NONE)
			return error_set(
			    err, ERROR_CONFIG,
			    "unknown scope; there are produce, consume, read and admin");
		ret->scopes |= scope;
	}
	return digest(token, ret->digest)
		   ? 0
		   : error_set(err, ERROR_CONFIG, "SHA-256 is not available");
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
	return read_line(line, &auth->tokens[auth->count++], err);
}

static int
read_lines(struct auth *auth, struct str text, struct error *err)
{
	for (int number = 1; text.len > 0; number++)
		if (add_line(auth, cut(&text, "\n"), err) != 0) {
			err->line = number;
			err->column = err->column > 0 ? err->column : 1;
			return -1;
		}
	return auth->count > 0 ? 0 : error_set(err, ERROR_CONFIG, "holds no token");
}

/* Why the file is unfit to hold tokens; NULL: it is fit. */
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
read_file(const char *path, struct buf *text, struct error *err)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK), failed;
	const char *why;

	if (fd < 0)
		return error_set(err, ERROR_CONFIG, "token file %s: %s", path,
				 errno == ELOOP ? "is a symbolic link" : strerror(errno));
	why = unfit(fd);
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
	if (auth != NULL)
		free(auth->tokens);
	free(auth);
}

int
auth_create(const char *path, bool *ret_made, struct error *err)
{
	unsigned char random[NEW_TOKEN_BYTES];
	struct buf text = { 0 };
	struct stat st;
	int failed;

	*ret_made = lstat(path, &st) != 0 && errno == ENOENT;
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

static unsigned
check(const struct auth *auth, struct str token, unsigned char given[DIGEST_BYTES])
{
	unsigned scopes = 0;

	if (!digest(token, given))
		return 0;
	for (size_t i = 0; i < auth->count; i++) {
		unsigned same =
		    (unsigned)(CRYPTO_memcmp(given, auth->tokens[i].digest, DIGEST_BYTES) == 0);

		scopes |= auth->tokens[i].scopes & (0u - same);
	}
	return scopes;
}

static void
write_name(char name[TOKEN_NAME_BYTES], const unsigned char token_digest[DIGEST_BYTES])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < TOKEN_NAME_BYTES; i++)
		name[i] = digits[token_digest[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
}

unsigned
auth_recall(const struct auth *auth, struct auth_memo *memo, struct str token)
{
	unsigned char given[DIGEST_BYTES];
	unsigned scopes;

	if (memo->generation == auth->generation && memo->len == token.len &&
	    CRYPTO_memcmp(memo->token, token.s, token.len) == 0)
		return memo->scopes;
	scopes = check(auth, token, given);
	if (scopes == 0)
		return 0;
	assert(token.len <= sizeof(memo->token)); /* of any that the file may hold */
	write_name(memo->name, given);
	memo->generation = auth->generation;
	memo->scopes = scopes;
	memo->len = token.len;
	memcpy(memo->token, token.s, token.len);
	return scopes;
}
