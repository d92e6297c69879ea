/*
 * Finds the server.
 *
 * A running sevqd keeps a runtime file, sevqd.json, that says where it listens and where its token
 * is. Two attacks must fail. Somebody who can write that file could have a token sent anywhere, so
 * the file counts only if this user owns it and nobody else may write it. Somebody who listens on
 * the port of a dead server would be sent its token, so the file counts only while the process that
 * it names is alive, belongs to this user and was started when the file says: pids are reused. The
 * token goes only to the addresses in that file. Without such a file no token is found: whoever
 * listens on the default port may be anybody. Every other server gets a token only if the user
 * names one.
 */
#include "client/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <unistd.h>

#include "client/json.h"

#define FILE_BYTES_MAX 65536

/* The contents of the runtime file. All zero: no server of this user runs. */
struct runtime {
	struct sevq_url url;
	char *token_file; /* NULL: the server asks for no token */
	int pid;
	cJSON *listens; /* URLs of all its listeners; NULL: url alone */
};

static void
runtime_clear(struct runtime *runtime)
{
	sevq_url_clear(&runtime->url);
	free(runtime->token_file);
	cJSON_Delete(runtime->listens);
	memset(runtime, 0, sizeof(*runtime));
}

/*
 * Returns an environment variable, or NULL if it is unset or empty. A program that runs with more
 * rights than its caller (setuid) sees none.
 */
static const char *
variable(const char *name)
{
	const char *value = secure_getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

/*
 * Appends the path of a file in the state directory. A relative XDG_STATE_HOME is ignored, as its
 * specification demands. false: there is no state directory.
 */
static bool
state_path(struct sevq_buffer *path, const char *name)
{
	const char *state = variable("XDG_STATE_HOME"), *home = variable("HOME");

	if (state != NULL && state[0] == '/')
		sevq_buffer_addf(path, "%s/sevq/%s", state, name);
	else if (home != NULL)
		sevq_buffer_addf(path, "%s/.local/state/sevq/%s", home, name);
	return path->len > 0;
}

/* Appends the contents of an open file. -1 with errno: it cannot be read or is too long. */
static int
read_all(int fd, struct sevq_buffer *out)
{
	char part[4096];
	ssize_t n;

	while ((n = read(fd, part, sizeof(part))) > 0) {
		if (out->len + (size_t)n > FILE_BYTES_MAX) {
			errno = EFBIG;
			return -1;
		}
		sevq_buffer_add(out, part, (size_t)n);
	}
	return (int)n;
}

/*
 * Reads a small file that must be private: none of the permission bits in access_mask may be set.
 * must_be_ours: it must also belong to this user, and not be a symbolic link.
 */
static enum sevq_code
read_private(const char *path, bool must_be_ours, mode_t access_mask, struct sevq_buffer *out,
	     struct sevq_error *error)
{
	struct stat st;
	int fd;

	fd = open(path,
		  O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (must_be_ours ? O_NOFOLLOW : 0));
	if (fd < 0)
		return sevq_error_set(error, SEVQ_CONFIGURATION, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		sevq_error_set(error, SEVQ_CONFIGURATION, "%s: not a regular file", path);
	else if (must_be_ours && st.st_uid != geteuid())
		sevq_error_set(error, SEVQ_CONFIGURATION, "%s: belongs to another user", path);
	else if ((st.st_mode & access_mask) != 0)
		sevq_error_set(error, SEVQ_CONFIGURATION,
			       "%s: open to others (mode %03o); run chmod 600 on it", path,
			       (unsigned)(st.st_mode & 0777));
	else if (read_all(fd, out) != 0)
		sevq_error_set(error, SEVQ_CONFIGURATION, "%s: %s", path, strerror(errno));
	else if (out->failed)
		sevq_error_set(error, SEVQ_NO_MEMORY, "out of memory");
	else if (strlen(sevq_buffer_text(out)) != out->len)
		sevq_error_set(error, SEVQ_CONFIGURATION, "%s: a NUL byte", path);
	close(fd);
	return error->code;
}

/* Copies a token. It becomes part of a header line, so it must be one word of visible ASCII. */
static enum sevq_code
keep_token(const char *word, size_t len, const char *where, char **ret, struct sevq_error *error)
{
	size_t i;

	if (len == 0)
		return sevq_error_set(error, SEVQ_CONFIGURATION, "%s: contains no token", where);
	for (i = 0; i < len; i++)
		if ((unsigned char)word[i] <= 0x20 || (unsigned char)word[i] >= 0x7f)
			return sevq_error_set(error, SEVQ_CONFIGURATION,
					      "%s: a token is one word of printable ASCII", where);
	*ret = strndup(word, len);
	return *ret != NULL ? SEVQ_OK : sevq_error_set(error, SEVQ_NO_MEMORY, "out of memory");
}

/* Copies a token that was given as text, without the white space around it. */
static enum sevq_code
read_token(const char *text, const char *where, char **ret, struct sevq_error *error)
{
	size_t len;

	text += strspn(text, " \t\r\n");
	len = strlen(text);
	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
		len--;
	return keep_token(text, len, where, ret, error);
}

/*
 * Copies the first token of a token file. The file may be the server's own: one token in each line,
 * with its scopes behind it, and lines with # as comments. Lines with a digest hold no token.
 */
static enum sevq_code
read_token_file(const char *path, bool must_be_ours, char **ret, struct sevq_error *error)
{
	struct sevq_buffer text = { 0 };
	const char *line;

	if (read_private(path, must_be_ours, 077, &text, error) == SEVQ_OK) {
		line = sevq_buffer_text(&text);
		line += strspn(line, " \t\r\n");
		while (*line == '#' || strncmp(line, "sha256:", 7) == 0) {
			line += strcspn(line, "\n");
			line += strspn(line, " \t\r\n");
		}
		keep_token(line, strcspn(line, " \t\r\n"), path, ret, error);
	}
	sevq_buffer_clear(&text);
	return error->code;
}

/*
 * Whether the process with this pid belongs to this user and has this start time (field 22 of
 * /proc/PID/stat, in clock ticks since the machine started).
 */
static bool
is_process(int pid, double start_time)
{
	char path[64];
	struct sevq_buffer stat_line = { 0 };
	struct stat st;
	const char *field;
	int fd, i;
	bool same;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	same = fstat(fd, &st) == 0 && st.st_uid == geteuid() && read_all(fd, &stat_line) == 0;
	close(fd);
	/* the second field is a name in parentheses, and may hold any character */
	field = strrchr(sevq_buffer_text(&stat_line), ')');
	for (i = 2; field != NULL && i < 22; i++)
		field = strchr(field + 1, ' ');
	same = same && field != NULL && strtod(field, NULL) == start_time;
	sevq_buffer_clear(&stat_line);
	return same;
}

/*
 * Reads {"address":URL,"listens":[URL...],"tokenFile":PATH or null,"pid":N,"startTime":N}. If that
 * process is gone, runtime stays all zero.
 */
static enum sevq_code
read_runtime_json(const char *path, const struct sevq_buffer *text, struct runtime *runtime,
		  struct sevq_error *error)
{
	cJSON *root = sevq_json_parse(sevq_buffer_text(text), text->len);
	const char *address =
	    cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "address"));
	const char *token_file =
	    cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "tokenFile"));
	const cJSON *pid = cJSON_GetObjectItemCaseSensitive(root, "pid"),
		    *start = cJSON_GetObjectItemCaseSensitive(root, "startTime");

	if (address == NULL || !cJSON_IsNumber(pid) || pid->valueint <= 0 ||
	    (token_file != NULL && token_file[0] != '/')) {
		sevq_error_set(error, SEVQ_CONFIGURATION,
			       "%s: damaged; remove it, or give the server's address", path);
	} else if (sevq_url_read(address, &runtime->url, error) == SEVQ_OK) {
		runtime->listens = cJSON_DetachItemFromObjectCaseSensitive(root, "listens");
		if (token_file != NULL && (runtime->token_file = strdup(token_file)) == NULL)
			sevq_error_set(error, SEVQ_NO_MEMORY, "out of memory");
		runtime->pid = pid->valueint;
		if (!cJSON_IsNumber(start) || !is_process(pid->valueint, start->valuedouble))
			runtime_clear(runtime);
	}
	cJSON_Delete(root);
	return error->code;
}

/* Reads the runtime file. Without a file, or if its server has ended, runtime stays all zero. */
static enum sevq_code
read_runtime(struct runtime *runtime, struct sevq_error *error)
{
	struct sevq_buffer path = { 0 }, text = { 0 };

	if (state_path(&path, "sevqd.json") && access(sevq_buffer_text(&path), F_OK) == 0 &&
	    read_private(sevq_buffer_text(&path), true, 022, &text, error) == SEVQ_OK)
		read_runtime_json(sevq_buffer_text(&path), &text, runtime, error);
	sevq_buffer_clear(&text);
	sevq_buffer_clear(&path);
	return error->code;
}

/* Whether the running server listens at the address. */
static bool
listens_at(const struct runtime *runtime, const struct sevq_url *url)
{
	const cJSON *item;

	if (runtime->url.text == NULL)
		return false;
	if (strcmp(runtime->url.text, url->text) == 0)
		return true;
	cJSON_ArrayForEach(item, runtime->listens)
	{
		struct sevq_error error = { 0 };
		struct sevq_url listener = { 0 };
		bool same = cJSON_IsString(item) &&
			    sevq_url_read(item->valuestring, &listener, &error) == SEVQ_OK &&
			    strcmp(listener.text, url->text) == 0;

		sevq_url_clear(&listener);
		if (same)
			return true;
	}
	return false;
}

static enum sevq_code
find_token(const struct sevq_connect_options *options, const struct runtime *runtime,
	   struct sevq_endpoint *endpoint, struct sevq_error *error)
{
	if (options->token != NULL)
		return read_token(options->token, "the token given", &endpoint->token, error);
	if (options->token_file != NULL)
		return read_token_file(options->token_file, false, &endpoint->token, error);
	if (variable("SEVQ_TOKEN") != NULL)
		return read_token(variable("SEVQ_TOKEN"), "SEVQ_TOKEN", &endpoint->token, error);
	if (variable("SEVQ_TOKEN_FILE") != NULL)
		return read_token_file(variable("SEVQ_TOKEN_FILE"), false, &endpoint->token, error);
	if (listens_at(runtime, &endpoint->url) && runtime->token_file != NULL)
		return read_token_file(runtime->token_file, true, &endpoint->token, error);
	return SEVQ_OK;
}

/*
 * Copies the name of a file; NULL: there is none. libcurl reads it only when it connects, and then
 * says less about what is wrong.
 */
static enum sevq_code
keep_file(const char *file, char **ret, struct sevq_error *error)
{
	if (file == NULL)
		return SEVQ_OK;
	if (access(file, R_OK) != 0)
		return sevq_error_set(error, SEVQ_CONFIGURATION, "%s: %s", file, strerror(errno));
	*ret = strdup(file);
	return *ret != NULL ? SEVQ_OK : sevq_error_set(error, SEVQ_NO_MEMORY, "out of memory");
}

/* A certificate and its key come from the same place. */
static enum sevq_code
find_tls_files(const struct sevq_connect_options *options, struct sevq_endpoint *endpoint,
	       struct sevq_error *error)
{
	bool given = options->cert_file != NULL || options->key_file != NULL;
	const char *ca = options->ca_file != NULL ? options->ca_file : variable("SEVQ_CA_FILE"),
		   *cert = given ? options->cert_file : variable("SEVQ_CERT"),
		   *key = given ? options->key_file : variable("SEVQ_KEY");

	if (key != NULL && cert == NULL)
		return sevq_error_set(error, SEVQ_CONFIGURATION,
				      given ? "key_file is given without cert_file"
					    : "SEVQ_KEY is set without SEVQ_CERT");
	if (keep_file(ca, &endpoint->ca_file, error) == SEVQ_OK &&
	    keep_file(cert, &endpoint->cert_file, error) == SEVQ_OK)
		keep_file(key, &endpoint->key_file, error);
	return error->code;
}

/* Whether both names lead to one file. */
static bool
is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

enum sevq_code
sevq_token_file_find(const char *named, char **ret, int *ret_pid, struct sevq_error *error)
{
	struct sevq_buffer path = { 0 };
	struct runtime runtime = { 0 };
	const char *file = named != NULL ? named : variable("SEVQ_TOKEN_FILE");

	*ret = NULL;
	*ret_pid = 0;
	if (read_runtime(&runtime, error) == SEVQ_OK) {
		if (file == NULL)
			file = runtime.token_file;
		if (file == NULL && state_path(&path, "token"))
			file = sevq_buffer_text(&path);
		if (file == NULL)
			sevq_error_set(error, SEVQ_CONFIGURATION,
				       "no token file is known; name it with --token-file");
		else if ((*ret = strdup(file)) == NULL)
			sevq_error_set(error, SEVQ_NO_MEMORY, "out of memory");
		else if (runtime.token_file != NULL && is_same_file(file, runtime.token_file))
			*ret_pid = runtime.pid;
	}
	runtime_clear(&runtime);
	sevq_buffer_clear(&path);
	return error->code;
}

enum sevq_code
sevq_endpoint_find(const struct sevq_connect_options *options, struct sevq_endpoint *ret,
		   struct sevq_error *error)
{
	const char *named = options->base_url != NULL ? options->base_url : variable("SEVQ_URL");
	struct runtime runtime = { 0 };

	memset(ret, 0, sizeof(*ret));
	if (named != NULL)
		sevq_url_read(named, &ret->url, error);
	/* The runtime file can add nothing to the address of another machine. */
	if (error->code == SEVQ_OK && (named == NULL || ret->url.local))
		read_runtime(&runtime, error);
	if (error->code == SEVQ_OK && named == NULL)
		sevq_url_read(runtime.url.text != NULL ? runtime.url.text : SEVQ_DEFAULT_URL,
			      &ret->url, error);
	if (error->code == SEVQ_OK)
		find_token(options, &runtime, ret, error);
	if (error->code == SEVQ_OK)
		find_tls_files(options, ret, error);
	runtime_clear(&runtime);
	if (error->code != SEVQ_OK)
		sevq_endpoint_clear(ret);
	return error->code;
}

void
sevq_endpoint_clear(struct sevq_endpoint *endpoint)
{
	sevq_url_clear(&endpoint->url);
	free(endpoint->token);
	free(endpoint->ca_file);
	free(endpoint->cert_file);
	free(endpoint->key_file);
	memset(endpoint, 0, sizeof(*endpoint));
}
