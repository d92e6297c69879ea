/*
 * sevq token - adds, lists and revokes tokens in the token file of a server on this machine.
 *
 * A new token is printed once; the file keeps its SHA-256. Whoever changes the file holds a lock on
 * it and replaces it whole, so that the server and another command see the old one or the new.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <openssl/evp.h>
#include <unistd.h>

#include "client/buffer.h"
#include "client/command/command.h"
#include "client/command/memory.h"
#include "client/command/say.h"
#include "client/command/table.h"
#include "client/command/when.h"
#include "client/endpoint.h"
#include "client/json.h"

/* What the server takes: server/http/auth.c, server/http/token.h */
#define FILE_BYTES_MAX 65536
#define AGENTS_MAX 64

#define READ_BYTES_MAX (1 << 20) /* also a file that is too large can be made smaller */
#define DIGEST "sha256:"
#define DIGEST_DIGITS 64
#define SHOWN_DIGITS 12 /* enough to name a token by */
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define SPACE " \t\r"

/* The file, locked, and what is in it. */
struct token_file {
	char *path;
	int fd, pid; /* pid: the server that reads it; 0: none */
	bool made;   /* it was not there before */
	struct sevq_buffer text;
};

/* What a line says; texts are borrowed from it, not NUL-terminated. */
struct part {
	const char *s;
	int len;
};
struct line {
	struct part token, scopes, name, agents, expires;
};

static enum sevq_exit
fail(const char *path, const char *why)
{
	return sevq_report_failure("%s: %s", path, why);
}

/* --- the file --- */

/* Another command may have replaced the file before this one has got the lock. */
static bool
is_current(const struct token_file *file)
{
	struct stat named, locked;

	return stat(file->path, &named) == 0 && fstat(file->fd, &locked) == 0 &&
	       named.st_ino == locked.st_ino && named.st_dev == locked.st_dev;
}

/* A file that was made to be locked, and got no token, goes again. */
static void
close_file(struct token_file *file)
{
	struct stat st;

	if (file->made && file->fd >= 0 && is_current(file) && fstat(file->fd, &st) == 0 &&
	    st.st_size == 0)
		unlink(file->path);
	if (file->fd >= 0)
		close(file->fd);
	sevq_buffer_clear(&file->text);
	free(file->path);
}

static bool
lock_file(struct token_file *file, bool make)
{
	for (;;) {
		file->made = make && access(file->path, F_OK) != 0;
		file->fd = open(file->path,
				O_RDONLY | O_CLOEXEC | O_NOFOLLOW | (make ? O_CREAT : 0), 0600);
		if (file->fd < 0 || flock(file->fd, LOCK_EX) != 0)
			return false;
		if (is_current(file))
			return true;
		close(file->fd);
	}
}

static bool
read_file(struct token_file *file)
{
	char part[4096];
	ssize_t n;

	while ((n = read(file->fd, part, sizeof(part))) > 0) {
		sevq_buffer_add(&file->text, part, (size_t)n);
		if (file->text.len > READ_BYTES_MAX)
			errno = EFBIG;
		if (file->text.len > READ_BYTES_MAX)
			return false;
	}
	return n == 0;
}

static enum sevq_exit
open_file(struct token_file *file, const struct sevq_options *options, bool make)
{
	struct sevq_error error = { 0 };

	file->fd = -1;
	if (sevq_token_file_find(options->token_file, &file->path, &file->pid, &error) != SEVQ_OK)
		return fail("token", error.message);
	if (lock_file(file, make) && read_file(file))
		return SEVQ_EXIT_DONE;
	return fail(file->path, strerror(errno));
}

static bool
write_all(int fd, const struct sevq_buffer *text)
{
	size_t done = 0;
	ssize_t n = 0;

	for (; done < text->len && n >= 0; done += (size_t)(n > 0 ? n : 0))
		n = write(fd, text->data + done, text->len - done);
	return done == text->len && fsync(fd) == 0;
}

/* The new file belongs to whom the old one does: root changes that of a server's user. */
static bool
keep_owner(int old, int new)
{
	struct stat was, is;

	if (fstat(old, &was) != 0 || fstat(new, &is) != 0)
		return false;
	return (was.st_uid == is.st_uid && was.st_gid == is.st_gid) ||
	       fchown(new, was.st_uid, was.st_gid) == 0;
}

/* Replaces the file, and has its server read it. */
static enum sevq_exit
replace_file(const struct token_file *file, const struct sevq_buffer *text)
{
	struct sevq_buffer name = { 0 };
	int fd;
	bool done;

	sevq_buffer_addf(&name, "%s.new", file->path);
	if (text->failed || name.failed)
		sevq_exit_out_of_memory();
	unlink(name.data);
	fd = open(name.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	done = fd >= 0 && keep_owner(file->fd, fd) && write_all(fd, text) &&
	       rename(name.data, file->path) == 0;
	if (fd >= 0)
		close(fd);
	if (!done) {
		fail(name.data, strerror(errno));
		unlink(name.data);
	} else if (file->pid > 0 && kill(file->pid, SIGHUP) == 0)
		sevq_say(stderr, "sevqd (pid %d) has been told to read %s", file->pid, file->path);
	else
		sevq_say(stderr, "%s: counts when sevqd starts or is sent SIGHUP", file->path);
	sevq_buffer_clear(&name);
	return done ? SEVQ_EXIT_DONE : SEVQ_EXIT_FAILED;
}

/* --- lines --- */

static struct part
next_word(const char **at)
{
	struct part word;

	*at += strspn(*at, SPACE);
	word.s = *at;
	word.len = (int)strcspn(*at, SPACE "\n");
	*at += word.len;
	return word;
}

static bool
begins(struct part word, const char *prefix, struct part *value)
{
	int len = (int)strlen(prefix);

	if (word.len < len || memcmp(word.s, prefix, (size_t)len) != 0)
		return false;
	*value = (struct part){ word.s + len, word.len - len };
	return true;
}

/* Reads the line at text, to which next is set behind it. False: it has no token. */
static bool
read_line(const char *text, const char **next, struct line *ret)
{
	struct part word;

	*next = text + strcspn(text, "\n");
	*next += **next == '\n';
	memset(ret, 0, sizeof(*ret));
	ret->token = next_word(&text);
	while ((word = next_word(&text)).len > 0)
		if (!begins(word, "name=", &ret->name) && !begins(word, "agent=", &ret->agents) &&
		    !begins(word, "expires=", &ret->expires)) {
			if (ret->scopes.len == 0)
				ret->scopes = word;
			ret->scopes.len = (int)(word.s + word.len - ret->scopes.s);
		}
	return ret->token.len > 0 && ret->token.s[0] != '#';
}

static void
write_digest(struct part text, char hex[DIGEST_DIGITS + 1])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	int i;

	if (EVP_Digest(text.s, (size_t)text.len, digest, NULL, EVP_sha256(), NULL) != 1)
		sevq_exit_out_of_memory();
	for (i = 0; i < DIGEST_DIGITS / 2; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

/* The digest of the line's token, which may stand there itself. */
static void
digest_of(const struct line *line, char hex[DIGEST_DIGITS + 1])
{
	struct part digest;

	if (begins(line->token, DIGEST, &digest))
		snprintf(hex, DIGEST_DIGITS + 1, "%.*s", digest.len, digest.s);
	else
		write_digest(line->token, hex);
}

/* Whether a person means this token: by its name, or by the beginning of its digest. */
static bool
is_meant(const struct line *line, const char *word)
{
	char hex[DIGEST_DIGITS + 1];

	digest_of(line, hex);
	return (strlen(word) == (size_t)line->name.len && line->name.len > 0 &&
		memcmp(line->name.s, word, strlen(word)) == 0) ||
	       (strlen(word) >= SHOWN_DIGITS && strncmp(hex, word, strlen(word)) == 0);
}

/* --- add --- */

/* As the server reads them: an id of nothing but dashes is empty. */
static bool
are_agents(const char *text)
{
	size_t count = 0, len;

	for (;; text += len + 1) {
		len = strspn(text, LETTERS "-_");
		if (strspn(text, "-") == len || ++count > AGENTS_MAX)
			return false;
		if (text[len] != ',')
			return text[len] == '\0';
	}
}

static bool
are_scopes(const char *text)
{
	static const char *const scopes[] = { "produce", "consume", "read", "admin" };

	for (;;) {
		size_t len = strcspn(text, ","), i = 0;

		while (i < 4 && (strlen(scopes[i]) != len || memcmp(scopes[i], text, len) != 0))
			i++;
		if (i == 4)
			return false;
		if (text[len] == '\0')
			return true;
		text += len + 1;
	}
}

static enum sevq_exit
check_new(const struct sevq_options *options)
{
	const char *agents = options->address.agent_id;
	int64_t expires_ms;

	if (options->name == NULL || strlen(options->name) > 64 ||
	    strspn(options->name, LETTERS "-._@") != strlen(options->name) ||
	    options->name[0] == '\0')
		return sevq_report_usage(
		    "give the token a name of letters, digits and -._@: --name ci");
	if (options->scope != NULL && !are_scopes(options->scope))
		return sevq_report_usage(
		    "--scope takes produce, consume, read and admin, with commas between them");
	if (agents != NULL && !are_agents(agents))
		return sevq_report_usage(
		    "--agent takes 1 to %d agent ids, with commas between them", AGENTS_MAX);
	if (options->expires != NULL && !sevq_date_read(options->expires, &expires_ms))
		return sevq_report_usage(
		    "--expires takes a date such as 2027-01-31 or 2027-01-31T12:00:00Z, in UTC");
	return SEVQ_EXIT_DONE;
}

static void
make_token(char token[80])
{
	unsigned char random[32];
	size_t i;

	while (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		continue;
	strcpy(token, "sevq_");
	for (i = 0; i < sizeof(random); i++)
		snprintf(token + 5 + 2 * i, 3, "%02x", random[i]);
}

static void
add_attribute(struct sevq_buffer *text, const char *before, const char *value)
{
	if (value != NULL)
		sevq_buffer_addf(text, " %s%s", before, value);
}

static enum sevq_exit
add(struct token_file *file, const struct sevq_options *options)
{
	struct sevq_buffer *text = &file->text;
	char token[80], hex[DIGEST_DIGITS + 1];
	enum sevq_exit result;

	make_token(token);
	write_digest((struct part){ token, (int)strlen(token) }, hex);
	if (text->len > 0 && text->data[text->len - 1] != '\n')
		sevq_buffer_add(text, "\n", 1);
	sevq_buffer_addf(text, DIGEST "%s", hex);
	add_attribute(text, "", options->scope);
	add_attribute(text, "name=", options->name);
	add_attribute(text, "agent=", options->address.agent_id);
	add_attribute(text, "expires=", options->expires);
	sevq_buffer_add(text, "\n", 1);
	if (text->len > FILE_BYTES_MAX)
		return fail(file->path, "would be over 65,536 bytes; revoke some tokens first");
	result = replace_file(file, text);
	if (result != SEVQ_EXIT_DONE)
		return result;
	if (options->json) {
		char json[160];

		snprintf(json, sizeof(json), "{\"token\":\"%s\",\"name\":\"%s\"}", token,
			 options->name);
		sevq_say_json(stdout, json);
	} else
		sevq_say(stdout, "%s", token);
	return SEVQ_EXIT_DONE;
}

/* --- list --- */

static char *
copy(struct part part)
{
	size_t len = part.len > 0 ? (size_t)part.len : 0;

	return sevq_allocated(strndup(len > 0 ? part.s : "", len));
}

/* Adds a cell to the table, or a member to the object. */
static void
tell(struct sevq_table *table, cJSON *object, const char *name, struct part part)
{
	char *text = copy(part);

	if (object != NULL)
		sevq_allocated(part.len > 0 ? cJSON_AddStringToObject(object, name, text)
					    : cJSON_AddNullToObject(object, name));
	else
		sevq_table_add(table, text);
	free(text);
}

static void
tell_line(struct sevq_table *table, cJSON *object, const struct line *line)
{
	static const char all[] = "produce,consume,read,admin";
	char hex[DIGEST_DIGITS + 1];

	digest_of(line, hex);
	tell(table, object, "name", line->name);
	tell(table, object, "scopes",
	     line->scopes.len > 0 ? line->scopes : (struct part){ all, sizeof(all) - 1 });
	tell(table, object, "agents", line->agents);
	tell(table, object, "expires", line->expires);
	tell(table, object, "sha256",
	     (struct part){ hex, object != NULL ? (int)strlen(hex) : SHOWN_DIGITS });
}

static enum sevq_exit
list(const struct token_file *file, bool json)
{
	static const struct sevq_column columns[] = { { "NAME", false },
						      { "SCOPES", false },
						      { "AGENTS", false },
						      { "EXPIRES", false },
						      { "SHA-256", false } };
	cJSON *array = json ? sevq_allocated(cJSON_CreateArray()) : NULL;
	struct sevq_table table;
	const char *at = sevq_buffer_text(&file->text), *next;
	struct line line;

	sevq_table_init(&table, columns, sizeof(columns) / sizeof(columns[0]));
	for (; *at != '\0'; at = next) {
		cJSON *object = NULL;

		if (!read_line(at, &next, &line))
			continue;
		if (json) {
			object = sevq_allocated(cJSON_CreateObject());
			cJSON_AddItemToArray(array, object);
		}
		tell_line(&table, object, &line);
	}
	if (json) {
		char *text = sevq_allocated(cJSON_PrintUnformatted(array));

		sevq_say_json(stdout, text);
		cJSON_free(text);
	} else
		sevq_table_print(&table);
	sevq_table_clear(&table);
	cJSON_Delete(array);
	return SEVQ_EXIT_DONE;
}

/* --- revoke --- */

static enum sevq_exit
take_out(struct token_file *file, const struct sevq_options *options)
{
	const char *word = options->arguments[1];
	const char *at = sevq_buffer_text(&file->text), *next;
	struct sevq_buffer kept = { 0 };
	size_t revoked = 0, left = 0;
	enum sevq_exit result;
	struct line line;

	for (; *at != '\0'; at = next) {
		bool is_token = read_line(at, &next, &line),
		     goes = is_token && is_meant(&line, word);

		revoked += goes;
		left += is_token && !goes;
		if (!goes)
			sevq_buffer_add(&kept, at, (size_t)(next - at));
	}
	if (revoked == 0) {
		sevq_report_failure("no token is called %s; see sevq token list", word);
		result = SEVQ_EXIT_NOTHING;
	} else if (revoked > 1 && !options->yes)
		result = sevq_report_usage("%zu tokens are called %s: give --yes for all of them, "
					   "or the digest of one",
					   revoked, word);
	else if (left == 0)
		result = fail(file->path, "this is the only token; add another one first");
	else
		result = replace_file(file, &kept);
	sevq_buffer_clear(&kept);
	return result;
}

enum sevq_exit
sevq_run_token(struct sevq_client *client, struct sevq_options *options)
{
	const char *what = options->arguments[0];
	bool adds = strcmp(what, "add") == 0, revokes = strcmp(what, "revoke") == 0;
	struct token_file file = { 0 };
	enum sevq_exit result;

	(void)client;
	if ((!adds && !revokes && strcmp(what, "list") != 0) ||
	    options->argument_count != 1 + revokes)
		return sevq_report_usage("want sevq token add --name NAME, sevq token list, or "
					 "sevq token revoke NAME|DIGEST");
	if (adds && (result = check_new(options)) != SEVQ_EXIT_DONE)
		return result;
	result = open_file(&file, options, adds);
	if (result == SEVQ_EXIT_DONE)
		result = adds      ? add(&file, options)
			 : revokes ? take_out(&file, options)
				   : list(&file, options->json);
	close_file(&file);
	return result;
}
